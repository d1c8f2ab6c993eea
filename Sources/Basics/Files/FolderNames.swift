import Foundation

/// The names in a folder, sorted; one that is no UTF-8 as `String(path:)` has it, where FileManager would leave it out.
///
/// - Throws: ``Failure`` with status `badInput` that says why the folder cannot be listed.
package func namesInFolder(_ path: String) throws -> [String] {
    errno = 0
    guard let folder = path.withPath({ opendir($0) }) else {
        throw Failure(.badInput, "\(path): cannot be listed: \(String(cString: strerror(errno))).")
    }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
        errno = 0
        guard let entry = readdir(folder) else { break }
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(path: $0.prefix { $0 != 0 }) }
        if name != "." && name != ".." { names.append(name) }
    }
    guard errno == 0 else {
        throw Failure(.badInput, "\(path): cannot be listed: \(String(cString: strerror(errno))).")
    }
    return names.sorted()
}
