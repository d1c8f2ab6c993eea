import Foundation

@testable import Inputs

enum SliceFolderFixture {
    /// A folder with everything in it that people's folders have; the IDs of its slices are a, b, ….
    static func make(_ folder: String) throws {
        let bytes = try InputFixtures.slice().encoded()
        let names = [
            "a.dcm", "b.DCM", "c.IMA", "d.dicom", "e", "1.2.840.5", "deep/er/f.Dcm", "m", ".hidden.dcm", ".git/h.dcm",
            "DICOMDIR",
        ]
        for name in names { try InputFixtures.write(bytes, to: "\(folder)/\(name)") }
        // Without preamble and meta header.
        try InputFixtures.write(bytes.dropFirst(132), to: folder + "/g")
        try InputFixtures.write("text", to: folder + "/readme")
        try InputFixtures.write("ID,Label\n", to: folder + "/table.csv")
        try InputFixtures.write(bytes, to: folder + "-elsewhere/i.dcm")
        for (link, path) in [
            ("j.dcm", folder + "/a.dcm"), ("linked", folder + "-elsewhere"), ("deep/up", folder), ("round", "round"),
            ("gone.dcm", "nowhere"), ("zero.dcm", "/dev/zero"),
        ] { symlink(path, "\(folder)/\(link)") }
        for pipe in ["pipe", "k.dcm"] { mkfifo("\(folder)/\(pipe)", 0o600) }
        // Latin-1, as old archives have it.
        let name = Array("\(folder)/m".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
        guard rename("\(folder)/m", name) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    static let slices = ["1.2.840.5", "a", "b", "c", "d", "e", "f", "g", "i", "j"]

    static let passedOver = [
        ".git": "a hidden file", ".hidden.dcm": "a hidden file", "DICOMDIR": "the index of a medium",
        "deep/up": "a folder that has been looked at under another name", "gone.dcm": "a link that leads nowhere",
        "k.dcm": "a pipe", "m\\xe9": "its name is not UTF-8", "pipe": "a pipe", "readme": "its content is not DICOM",
        "round": "a link that leads nowhere", "table.csv": "no slice by its ending", "zero.dcm": "a device",
    ]
}
