import Foundation

/// Makes a folder and those that it lies in, as far as they are not there.
///
/// - Throws: ``Failure`` with status `inputOutput` that says what is in the way.
package func makeFolder(_ path: String) throws {
    let files = FileManager.default
    do {
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
        var place = path
        while !files.fileExists(atPath: place), place != folderName(place) { place = folderName(place) }
        guard isFolder(place) else {
            throw Failure(.inputOutput, "\(place): is a file; expected a folder. Give another name.")
        }
        let code = ((error as? CocoaError)?.underlying as? POSIXError)?.code.rawValue
        let reason = code.map { String(cString: strerror($0)) } ?? error.localizedDescription
        throw Failure(.inputOutput, "\(path): this folder cannot be made: \(reason).")
    }
}

/// Whether a path leads to a folder.
package func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}
