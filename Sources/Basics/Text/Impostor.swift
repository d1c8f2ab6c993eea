/// What lies in the place of a file that was not downloaded.
package enum Impostor {
    /// Says what a file that begins with these bytes is instead, and what to do; nil if it may be what its name says.
    package static func found(in start: some Collection<UInt8>) -> String? {
        let start = start.prefix(512)
        if start.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
            return "is a Git LFS pointer and not the file itself. Get that with: git lfs pull"
        }
        let text = String(decoding: start, as: UTF8.self).lowercased().drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        // A comment or a declaration may come first.
        let isMarkup = text.hasPrefix("<!--") || text.hasPrefix("<?xml")
        guard
            text.hasPrefix("<!doctype html") || text.hasPrefix("<html") || text.hasPrefix("<head")
                || isMarkup && text.contains("<html")
        else { return nil }
        return "is a web page (an error or a login page, say) and not the file itself. Download it again, logged in."
    }
}
