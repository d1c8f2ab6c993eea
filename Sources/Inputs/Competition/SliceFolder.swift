import Basics
import Foundation

/// A file in a folder or an archive that was looked at and is no slice.
package struct PassedFile: Sendable, Equatable {
    package var path: String
    package var reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// One that ``SliceFileName`` says is none, or whose content does.
    package init(noSlice path: String) {
        let name = fileName(path)
        self.path = path
        reason =
            switch SliceFileName(name) {
            case .other where name.hasPrefix("."): "a hidden file"
            case .other where name.uppercased() == "DICOMDIR": "the index of a medium"
            case .other: "no slice by its ending"
            default: "its content is not DICOM"
            }
    }
}

/// The slices of a folder at any depth, by the rule of ``SliceFileName``.
package enum SliceFolder {
    /// Passes on the slices of a folder at any depth, in the order of their paths. Links are followed, to each folder once.
    ///
    /// - Parameters:
    ///   - skips: says of a folder that its files are not asked for; they are not counted as passed over.
    ///   - passOver: gets what is no slice or cannot be looked at, by its path without the folder's.
    ///   - body: gets a slice's ID and its path without the folder's.
    /// - Throws: ``Failure`` `inputOutput` if the folder itself cannot be listed; what `body` throws.
    package static func forEach(
        in folder: String, skips: (_ path: String) -> Bool = { _ in false },
        passOver: (PassedFile) -> Void,
        _ body: (_ id: String, _ path: String) throws -> Void
    ) throws {
        var seen: Set<[UInt64]> = []
        var status = stat()
        if stat(folder, &status) == 0 { seen.insert(identity(status)) }
        func visit(_ prefix: String) throws {
            for entry in try entries(of: prefix.isEmpty ? folder : "\(folder)/\(prefix)") {
                let path = prefix + entry.name
                guard entry.isText else {
                    passOver(.init(path: path, reason: "its name is not UTF-8; rename it"))
                    continue
                }
                if entry.name.hasPrefix(".") {
                    if !entry.name.hasPrefix(".repro-") { passOver(.init(noSlice: path)) }
                    continue
                }
                switch entry.kind(in: folder, path, &status) {
                case .folder:
                    guard !skips(path) else { continue }
                    guard seen.insert(identity(status)).inserted else {
                        passOver(.init(path: path, reason: "a folder that has been looked at under another name"))
                        continue
                    }
                    do { try visit(path + "/") } catch let error as Unlistable {
                        passOver(.init(path: path, reason: error.reason))
                    }
                case .other(let reason): passOver(.init(path: path, reason: reason))
                case .file:
                    if let id = SliceFileName.id(ofFile: entry.name, in: "\(folder)/\(prefix)") {
                        try body(id, path)
                    } else if path != Manifest.fileName {
                        passOver(.init(noSlice: path))
                    }
                }
            }
        }
        do { try visit("") } catch let error as Unlistable {
            throw Failure(.inputOutput, "\(folder): \(error.reason).")
        }
    }

    private struct Unlistable: Error {
        let reason: String
    }

    private static func identity(_ status: stat) -> [UInt64] { [UInt64(status.st_dev), UInt64(status.st_ino)] }

    private struct Entry {
        var name: String
        /// Whether the name is UTF-8; if not, its other bytes are written as `\xNN`.
        var isText: Bool
        /// What the folder says of it, so that a file need not be asked.
        var type: UInt8

        enum Kind {
            case file, folder
            case other(String)
        }

        /// What it is, or what the link leads to; of a folder with its `status`.
        func kind(in folder: String, _ path: String, _ status: inout stat) -> Kind {
            if type == UInt8(DT_REG) { return .file }
            guard stat("\(folder)/\(path)", &status) == 0 else {
                let reason = String(cString: strerror(errno))
                return .other(type == UInt8(DT_LNK) ? "a link that leads nowhere: \(reason)" : reason)
            }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return .file
            case S_IFDIR: return .folder
            case S_IFIFO: return .other("a pipe")
            case S_IFSOCK: return .other("a socket")
            default: return .other("a device")
            }
        }
    }

    /// What is in a folder, by the bytes of the names.
    private static func entries(of folder: String) throws(Unlistable) -> [Entry] {
        guard let stream = opendir(folder) else {
            throw Unlistable(reason: "cannot be listed: \(String(cString: strerror(errno)))")
        }
        defer { closedir(stream) }
        // One name at a time: Foundation's list of a million names takes a gigabyte.
        var entries: [Entry] = []
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes != [46], bytes != [46, 46] else { continue }
            let text = String(validating: bytes, as: UTF8.self)
            entries.append(
                Entry(name: text ?? escaped(bytes), isText: text != nil, type: entry.pointee.d_type))
        }
        return entries.sorted { bytesPrecede($0.name, $1.name) }
    }

    private static func escaped(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            (32..<127).contains(byte) ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16)
        }.joined()
    }
}
