import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("Slices of a folder")
struct SliceFolderTests {
    @Test("slices are files by their ending or content, through links; all else is passed over with the reason")
    func walk() throws {
        try InputFixtures.withFolder { parent in
            let folder = parent + "/in"
            try SliceFolderFixture.make(folder)
            var (ids, passed) = ([String](), [String: String]())
            try SliceFolder.forEach(in: folder, passOver: { passed[$0.path] = $0.reason }) { id, path in
                ids.append(id)
                #expect(throws: Never.self) { try readSlice(at: "\(folder)/\(path)") }
            }
            #expect(ids.sorted() == SliceFolderFixture.slices)
            #expect(passed.keys.sorted() == SliceFolderFixture.passedOver.keys.sorted())
            for (path, reason) in SliceFolderFixture.passedOver {
                #expect(passed[path]?.contains(reason) == true, "\(path): \(passed[path] ?? "")")
            }
        }
    }

    @Test("a folder above the competition's is not taken for somebody's own")
    func deeper() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(InputFixtures.slice().encoded(), to: folder + "/a/b/stage_2_train/x.dcm")
            let failure = InputFixtures.failure { _ = try CompetitionFolder.locate(in: folder) }
            #expect(failure?.status == .badInput && failure?.message.contains("a/b/stage_2_train") == true)
            let empty = InputFixtures.failure { _ = try CompetitionFolder.locate(in: folder + "/a/b/stage_2_train/..") }
            #expect(empty == nil)
        }
    }
}
