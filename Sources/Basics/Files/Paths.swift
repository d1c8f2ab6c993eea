import Foundation

/// A path without links, of a file that need not be there: the one that is meant if it is written to.
package func resolvedPath(_ path: String) -> String {
    if let whole = realPath(path) { return whole }
    let target = (try? AtomicFile.followingLinks(path)) ?? path
    guard let folder = realPath(folderName(target)) else { return target }
    return (folder == "/" ? "" : folder) + "/" + fileName(target)
}

private func realPath(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
}

/// The folder of a path: what stands before its last slash, `.` if there is none.
package func folderName(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last part of a path: what stands after its last slash.
package func fileName(_ path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
}
