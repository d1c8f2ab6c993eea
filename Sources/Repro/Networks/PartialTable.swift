import Basics
import Foundation
import Submit

/// What an interrupted prediction had done, so that the next run goes on after it.
///
/// The file's first line is the stage's key and the SHA-256 of the rest, which is a prediction table; anything else is ignored.
package struct PartialTable {
    package let path: String
    /// Which inputs, settings and revision the predictions belong to.
    package let key: String
    /// Seconds between two writes.
    package let interval: Double

    /// The predictions for the first slices of `ids`, as many as there are.
    package func load(for ids: [String]) -> PredictionTable {
        let nothing = PredictionTable(sliceIDs: [], values: [])
        guard let bytes = FileManager.default.contents(atPath: path), let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
        else { return nothing }
        let body = bytes[(end + 1)...]
        guard String(decoding: bytes[..<end], as: UTF8.self) == header(of: body),
            let table = try? PredictionTable(parsing: body, name: path), ids.starts(with: table.sliceIDs)
        else { return nothing }
        return table
    }

    package func save(_ table: PredictionTable) throws {
        let body = Data(table.csv())
        try AtomicFile.write(Data("\(header(of: body))\n".utf8) + body, to: path)
    }

    private func header(of body: Data) -> String { "\(key) \(Digest.sha256(body))" }
}
