import Foundation

/// Size and modification time of a regular file; what a link leads to can change behind its back.
package struct FileFacts: Equatable {
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64

    package init?(_ path: String) {
        var status = stat()
        guard path.withPath({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// Those of the regular file that a path leads to, through links.
    package init?(following path: String) {
        var status = stat()
        guard path.withPath({ stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    package init(_ status: stat) {
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }
}
