import Foundation

/// The two streams of the program: results go to stdout, everything else to stderr. Paths have their own bytes there.
package enum Console {
    /// Prints a result and ends its line; ends the program with 74 if stdout takes no more (a full disk).
    package static func result(_ text: String) { write("\(text)\n".pathBytes) }

    /// Writes the bytes of a result, likewise.
    package static func write(_ bytes: some ContiguousBytes) {
        do {
            try bytes.withUnsafeBytes { try writeAll($0, to: STDOUT_FILENO, naming: "standard output") }
        } catch {
            log("repro: error: \(error)")
            exit(ExitStatus.inputOutput.rawValue)
        }
    }

    package static func log(_ text: String) { show("\(text)\n") }

    /// Writes text to stderr as it is; what stderr does not take is lost, for there is nowhere to say so.
    package static func show(_ text: String) {
        try? text.pathBytes.withUnsafeBytes { try writeAll($0, to: STDERR_FILENO, naming: "standard error") }
    }

    /// Makes the three standard streams safe to use; to be called first.
    ///
    /// A closed one gets a stand-in that refuses to be read or written, so that no file that is opened later takes its number and
    /// then the output. A reader of the output that goes away ends the program without a word, as it does other tools. A file that
    /// becomes larger than the shell's limit is an error of writing, like a full disk. As many files may be open as the system allows.
    package static func begin() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        signal(SIGPIPE, SIG_DFL)
        signal(SIGXFSZ, SIG_IGN)
        var files = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 {
            files.rlim_cur = min(files.rlim_max, 1 << 16)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        }
    }

    /// Whether stderr is a terminal, where a bar can be redrawn in place.
    package static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// The terminal's width in columns, 80 when it is unknown.
    package static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
