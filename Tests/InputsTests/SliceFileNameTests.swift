import Foundation
import Testing

@testable import Inputs
@testable import TestSupport

@Suite("Which files are slices")
struct SliceFileNameTests {
    @Test("endings in capitals or not say slice, none or a number say perhaps, any other says no")
    func names() {
        for (name, id) in [
            ("ID_1.dcm", "ID_1"), ("a.DCM", "a"), ("b.IMA", "b"), ("c.Dicom", "c"), ("1.2.dcm", "1.2"),
            (".dcm.dcm", nil),
        ] as [(String, String?)] {
            #expect(SliceFileName(name) == id.map { .slice(id: $0) } ?? .other, "\(name)")
        }
        for name in ["IM0001", "1.2.840.113619.2", "x.7", "I"] {
            #expect(SliceFileName(name) == .perhaps(id: name), "\(name)")
        }
        for name in ["labels.csv", "a.dcm.gz", ".DS_Store", "DICOMDIR", "dicomdir", "a.png", "a.dcm~", ".hidden"] {
            #expect(SliceFileName(name) == .other, "\(name)")
        }
    }

    @Test("a file without an ending is a slice if it begins as one; no pipe, folder or text is")
    func content() throws {
        try InputFixtures.withFolder { folder in
            let slice = try InputFixtures.slice().encoded()
            try InputFixtures.write(slice, to: folder + "/IM1")
            try InputFixtures.write(Array(slice.dropFirst(132)), to: folder + "/1.2.3")
            try InputFixtures.write("text", to: folder + "/README")
            try FileManager.default.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
            mkfifo(folder + "/pipe", 0o644)
            let found = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
                SliceFileName.id(ofFile: $0, in: folder)
            }
            #expect(found == ["1.2.3", "IM1", nil, nil, nil])
        }
    }

    @Test("what is passed over is counted, and twenty of it named")
    func passedOver() {
        var files = PassedOverFiles()
        #expect(files.text == nil)
        for number in 0..<25 { files.add("f\(number)") }
        #expect(files.count == 25 && files.text?.contains("f19") == true)
        #expect(files.text?.contains("f20") == false && files.text?.contains("and 5 more") == true)
    }
}
