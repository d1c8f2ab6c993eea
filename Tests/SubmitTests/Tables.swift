import Metrics

@testable import Submit
@testable import TestSupport

/// Small tables for the tests.
enum Tables {
    static let types = HemorrhageType.allCases.map(\.rawValue)

    /// The six rows of a slice, as they stand in a file.
    static func rows(_ id: String, _ values: [String] = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]) -> [String] {
        zip(types, values).map { "\(id)_\($0),\($1)" }
    }

    static func file(_ rows: [String], lineEnd: String = "\n") -> [UInt8] {
        Array((["ID,Label"] + rows).map { $0 + lineEnd }.joined().utf8)
    }

    /// A well-formed table of this many slices with values between 0 and 1 of every number of digits.
    static func table(slices: Int, seed: UInt64) -> PredictionTable {
        var generator = SplitMix64(state: seed)
        let ids = (0..<slices).map { "ID_\(String(0x1_0000_0000 + $0 * 7919, radix: 16))" }
        let values = (0..<slices * 6).map { _ in
            Double.random(in: 0...1, using: &generator) * [1, 1e-3, 1e-9, 1e-30][Int(generator.next() % 4)]
        }
        return PredictionTable(sliceIDs: ids, values: values)
    }

    static func problems(_ bytes: [UInt8]) -> [TableProblem] {
        do throws(TableError) {
            _ = try PredictionTable(parsing: bytes, name: "t.csv")
            return []
        } catch {
            return error.problems
        }
    }
}
