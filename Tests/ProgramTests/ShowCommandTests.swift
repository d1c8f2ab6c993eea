import Foundation
import Nets
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("Pictures of slices")
struct ShowCommandTests {
    @Test("a panel has the values that the networks get; the last one has them as colors")
    func panels() {
        // One column each of air, the middle of the brain window, and bone.
        let image = HounsfieldImage(rows: 3, columns: 3, values: [-1000, 40, 1000, -1000, 40, 1000, -1000, 40, 1000])
        let picture = SlicePicture.sheet([SlicePicture(image: image, caption: "")], size: 3)
        #expect(picture.width == 4 * 3 + 5 * 4 && picture.height == 4 + 14 + 3 + 4)
        func pixel(_ panel: Int, _ x: Int) -> [UInt8] {
            let place = 3 * ((4 + 14 + 1) * picture.width + 4 + panel * 7 + x)
            return Array(picture.pixels[place..<(place + 3)])
        }
        // 40 HU is 40/80, 60/200 and 190/380 of the windows.
        let levels: [UInt8] = [128, 77, 128]
        for panel in 0..<3 {
            #expect(pixel(panel, 0) == [0, 0, 0] && pixel(panel, 2) == [255, 255, 255])
            #expect(pixel(panel, 1) == [levels[panel], levels[panel], levels[panel]])
        }
        #expect(pixel(3, 0) == [0, 0, 0] && pixel(3, 1) == levels && pixel(3, 2) == [255, 255, 255])
    }

    @Test("captions are legible: each printable character has dots of its own")
    func font() {
        let all = (33...126).map { Array(DotMatrixFont.columns(of: Character(UnicodeScalar($0)))) }
        #expect(Set(all).count == all.count && all.allSatisfy { $0.count == 5 })
        #expect(DotMatrixFont.columns(of: " ").allSatisfy { $0 == 0 })
        #expect(DotMatrixFont.columns(of: "é") == DotMatrixFont.columns(of: "?"))
    }

    /// Width and height from a PNG's header (PNG specification, 11.2.2).
    private func size(ofPNG path: String) throws -> [Int] {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]))
        return [16, 20].map { place in bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) } }
    }

    @Test("slices by ID, a study in order, and files; unknown names and no slices are errors")
    func command() throws {
        try InputFixtures.withFolder { folder in
            for index in 0..<3 {
                var slice = InputFixtures.slice("ID_00000000\(index)")
                slice.header.imagePosition[2] = Double(9 - index)
                try InputFixtures.write(
                    slice.encoded(), to: "\(folder)/in/stage_2_test/\(slice.header.sopInstanceUID).dcm")
            }
            #expect(try ProgramRun("catalog", "--input", folder + "/in", "--work", folder).status == 0)
            let out = folder + "/a.png"
            let one = try ProgramRun("show", "ID_000000001", "--work", folder, "--out", out)
            #expect(one.status == 0 && one.output.hasPrefix("ID_000000001, z 8.0 mm, no type, test\n"))
            #expect(try size(ofPNG: out) == [4 * 256 + 20, 256 + 22])
            let study = try ProgramRun(
                "show", "--study", "ID_0123456789", "--work", folder, "--size", "32", "--out", out)
            #expect(
                study.output.split(separator: "\n").prefix(3).map { $0.prefix(12) } == [
                    "ID_000000002", "ID_000000001", "ID_000000000",
                ])
            #expect(try size(ofPNG: out) == [4 * 32 + 20, 3 * (32 + 18) + 4])
            let file = "\(folder)/in/stage_2_test/ID_000000000.dcm"
            #expect(try ProgramRun("show", file, "--size", "32", "--out", out).output.hasPrefix("ID_000000000.dcm\n"))
            #expect(try ProgramRun("show", "ID_none", "--work", folder, "--out", out).status == 66)
            #expect(try ProgramRun("show", "--study", "none", "--work", folder, "--out", out).status == 66)
            #expect(try ProgramRun("show", "--out", out).status == 64)
            #expect(try ProgramRun("show", out, "--out", folder + "/b.png").status == 65)
        }
    }
}
