import Foundation

/// The two streams of the program: results go to stdout, everything else to stderr.
package enum Console {
    package static func result(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }

    package static func log(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    /// Whether stderr is a terminal, where a bar can be redrawn in place.
    package static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// The terminal's width in columns, 80 when it is unknown.
    package static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
