import CDICOM
import Foundation
import Metrics
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("The original's preprocessing")
struct PreprocessingTests {
    private static func facts(_ row: [String: String]) throws -> SliceFacts {
        SliceFacts(
            id: try #require(row["ID"]), patientID: try #require(row["PatientID"]),
            studyInstanceUID: try #require(row["StudyInstanceUID"]),
            seriesInstanceUID: try #require(row["SeriesInstanceUID"]),
            position: try #require(row["Position3"].flatMap { Double($0) }),
            brainWindowSpread: try #require(row["custom_diff"].flatMap { Double($0) }),
            labels: try #require(row["labels"]))
    }

    /// Compares filter, positions, neighbours and folds with a golden table, cell by cell; returns the number of rows.
    private func compare(_ table: [[String: String]], folds columns: [(name: String, count: Int, seed: UInt64)]) throws
        -> Int
    {
        let rows = try table.map(Self.facts).filter { $0.brainWindowSpread > OriginalDataset.smallestSpread }
            .sorted { $0.id < $1.id }
        let places = OriginalDataset.places(of: rows)
        let expected = table.filter { $0["PositionOrd"] != "" }.sorted { ($0["ID"] ?? "") < ($1["ID"] ?? "") }
        #expect(rows.map(\.id) == expected.map { $0["ID"] })
        #expect(places.map { "\($0.positionOrd)" } == expected.map { $0["PositionOrd"] })
        #expect(places.map { $0.left.map { rows[$0].labels } ?? "" } == expected.map { $0["LeftLabel"] })
        #expect(places.map { $0.right.map { rows[$0].labels } ?? "" } == expected.map { $0["RightLabel"] })
        for (name, count, seed) in columns {
            let slices = rows.map { (patientID: $0.patientID, labels: $0.labels) }
            let folds = OriginalDataset.folds(of: slices, count: count, seed: seed)
            #expect(rows.map { folds[$0.patientID].map { "\($0)" } } == expected.map { $0[name] }, "\(name)")
        }
        return rows.count
    }

    @Test("train and test match what the original's scripts wrote, cell by cell")
    func original() throws {
        let table = try InputFixtures.table("preprocessing.csv")
        let train = try compare(table.filter { $0["split"] == "train" }, folds: [("fold", 5, 10)])
        let test = try compare(table.filter { $0["split"] == "test" }, folds: [])
        #expect(train == 109 && test == 31)
    }

    @Test("ties, several series in a study, slices listed twice and other seeds match pandas and Python")
    func ties() throws {
        let table = try InputFixtures.table("preprocessing-ties.csv")
        #expect(try compare(table, folds: [("fold", 5, 10), ("fold7", 7, 123_456_789_012_345)]) == 250)
    }

    @Test("ranks of equal values are averaged")
    func ranks() {
        #expect(OriginalDataset.averageRanks(of: [3, 1, 3, 2, 3]) == [4, 1, 4, 2, 4])
        #expect(OriginalDataset.averageRanks(of: []) == [])
    }

    @Test("random numbers are those of Python 3's random module")
    func python() {
        var random = PythonRandom(seed: 10)
        #expect((0..<4).map { _ in random.next() } == [2_454_155_475, 139_951_793, 1_842_064_464, 2_072_586_604])
        random = PythonRandom(seed: 10)
        for _ in 0..<1300 { _ = random.next() }
        #expect(random.next() == 398_062_542)
        random = PythonRandom(seed: 123_456_789_012_345)
        #expect((0..<3).map { _ in random.next() } == [2_896_848_117, 946_991_832, 1_255_537_387])
        random = PythonRandom(seed: 10)
        #expect((0..<12).map { _ in random.choice([0, 1, 2, 3, 4]) } == [4, 0, 3, 3, 4, 0, 1, 3, 3, 2, 1, 0])
        random = PythonRandom(seed: 0)
        #expect((0..<8).map { _ in random.choice([0, 1, 2]) } == [1, 1, 0, 1, 2, 1, 1, 1])
        // A choice among one draws until a bit is 0.
        random = PythonRandom(seed: 10)
        #expect((0..<3).map { _ in random.choice([0]) } == [0, 0, 0])
        #expect(random.next() == 2_482_883_256)
    }

    @Test("a patient's slices are all in one fold")
    func patients() throws {
        let slices = (0..<200).map { (patientID: "P\($0 % 23)", labels: $0 % 3 == 0 ? "epidural any" : "") }
        let folds = OriginalDataset.folds(of: slices, count: 5, seed: 1)
        #expect(folds.count == 23)
        #expect(Set(folds.values) == [0, 1, 2, 3, 4])
    }

    @Test("statistics of a window are those of the clipped image")
    func window() {
        let statistics = WindowStatistics(of: [-1000, 10, 50, 3000], center: 40, width: 80)
        #expect(statistics.min == 0 && statistics.max == 80 && statistics.mean == 35 && statistics.spread == 80)
        // 35 // 2 is 17 on both sides.
        let odd = WindowStatistics(of: [-1000, 1000], center: 40, width: 35)
        #expect(odd.min == 23 && odd.max == 57)
    }

    @Test("statistics in integers are those in floating point, to the last bit")
    func measurement() {
        var random = DemoRandom(seed: 7)
        for (intercept, center, width, isSigned, bits) in [
            (-1024.0, "40", "80", true, Int32(16)), (0, "-5.5", "35", false, 12), (1, "100\\200", "3", false, 16),
            (-1000, "", "", true, 7),
        ] {
            for count in [1, 7, 4096, 4097, 10_000] {
                var slice = InputFixtures.slice(rows: 1, columns: count)
                slice.header.rescaleIntercept = intercept
                (slice.header.windowCenterText, slice.header.windowWidthText) = (center, width)
                let stored = (0..<count).map { _ in UInt16(truncatingIfNeeded: random.next()) }
                let range = Int32(1) << bits
                slice.pixels = stored.map { word in
                    let value = Int32(word) % range
                    return isSigned && value >= range / 2 ? value - range : value
                }
                // At an odd address, as in a file.
                let bytes = [0] + stored.withUnsafeBytes { Array($0) }
                let whole = bytes.withUnsafeBytes { bytes in
                    SliceMeasurement(
                        of: StoredPixels(
                            words: bytes.baseAddress?.advanced(by: 1), count: count, is_signed: isSigned, bits: bits),
                        header: slice.header, repairsWrap: false)
                }
                let units = slice.pixels.map { Double($0) + intercept }
                let words = units.map { Int16(max(-32_768, min(32_767, $0))).littleEndian }
                #expect(whole.hounsfield == words)
                #expect(whole.custom == WindowStatistics(of: units, center: 40, width: 80))
                #expect(whole.raw == WindowStatistics(of: units.map { $0 - intercept }, low: -1e9, high: 1e9))
                #expect(
                    whole.doctor
                        == slice.header.windowCenter.map {
                            WindowStatistics(of: units, center: $0, width: slice.header.windowWidth ?? 0)
                        })
            }
        }
    }
}
