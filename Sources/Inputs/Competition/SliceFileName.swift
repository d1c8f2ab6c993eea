import Basics
import Foundation

/// What a file's name says of whether it is a slice: one rule for every command that looks for slices.
///
/// Scanners and archives name them `.dcm`, `.dicom` or `.ima`, in capitals or not, or give them no ending at all: a number, or the
/// last number of a UID.
package enum SliceFileName: Equatable {
    /// A slice, by its ending; the rest of the name is its ID.
    case slice(id: String)
    /// Without an ending: its first bytes decide. The whole name is its ID.
    case perhaps(id: String)
    /// No slice: another ending, hidden, or the index of a medium.
    case other

    package init(_ name: String) {
        guard !name.hasPrefix("."), name.uppercased() != "DICOMDIR" else {
            self = .other
            return
        }
        guard let dot = name.lastIndex(of: ".") else {
            self = .perhaps(id: name)
            return
        }
        let ending = name[name.index(after: dot)...].lowercased()
        if ["dcm", "dicom", "ima"].contains(ending) {
            self = .slice(id: String(name[..<dot]))
        } else {
            self = ending.utf8.allSatisfy { (0x30...0x39).contains($0) } ? .perhaps(id: name) : .other
        }
    }

    /// The ID of the slice that a file in a folder is, nil if it is none; a file without an ending is looked into.
    package static func id(ofFile name: String, in folder: String) -> String? {
        switch SliceFileName(name) {
        case .slice(let id): id
        case .perhaps(let id): startsAsDICOM("\(folder)/\(name)") ? id : nil
        case .other: nil
        }
    }

    package static func startsAsDICOM(_ path: String) -> Bool {
        // Regular files only: a pipe would be waited for.
        guard let region = try? FileRegion(path: path), let start = try? region.bytes(at: 0, count: telling) else {
            return false
        }
        return startsAsDICOM(start)
    }

    /// How much of a file its content is told by.
    package static let telling = 4096

    package static func startsAsDICOM(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBufferPointer { DICOMLayout(.init(rebasing: $0.prefix(telling))) != nil }
    }
}

/// Files that a command passes over because they are no slices: counted, and some of them named.
package struct PassedOverFiles: Sendable {
    /// How many of them are named.
    package static let named = 20
    package private(set) var count = 0
    private var names: [String] = []

    package init() {}

    package mutating func add(_ name: String) {
        count += 1
        if names.count < Self.named { names.append(name) }
    }

    /// A line for the log; nil if there are none.
    package var text: String? {
        guard count > 0 else { return nil }
        let more = count > names.count ? " and \(count - names.count) more" : ""
        return "passed over, no slices: \(Numbers.count(count)) (\(names.sorted().joined(separator: ", "))\(more))"
    }
}
