import Basics
import Foundation

/// The table that is packed in a file, whatever its name is.
package enum CompressedInput {
    /// The bytes themselves, or what is packed in them, also more than once, as a `.csv.gz` in a `.zip` is.
    ///
    /// - Parameter limit: the most bytes that are unpacked.
    /// - Throws: ``Failure`` with status `badInput` if the file is damaged, encrypted, an archive of anything but one file, or too large.
    package static func unpacked(_ bytes: Data, name: String, limit: Int = InputBytes.limit) throws -> Data {
        var content = bytes
        // Who packs more than three times makes bombs.
        for _ in 0..<3 {
            guard let packing = Packing(content) else { break }
            content = try onlyFile(in: content, packing, name: name, limit: limit)
        }
        return content
    }

    private static func onlyFile(in bytes: Data, _ packing: Packing, name: String, limit: Int) throws -> Data {
        var table: (name: String, bytes: Data)?
        try packing.forEachFile(in: bytes, name: name, limit: limit) { member, content in
            if let document = document(holding: member) { throw Failure(.badInput, "\(name): \(document)") }
            if let table {
                throw Failure(
                    .badInput,
                    "\(name): holds several files (\(table.name), \(member), ...); expected a single one. Unpack it and name the one."
                )
            }
            table = (member, try content())
        }
        guard let table else { throw Failure(.badInput, "\(name): holds no file; expected one.") }
        return table.bytes
    }

    /// What an archive is that has this member, if it is a document in a zip's clothes.
    private static func document(holding member: String) -> String? {
        if member == "[Content_Types].xml" || member.hasPrefix("xl/") || member == "mimetype" {
            return "is a workbook or another office document (such as .xlsx). Save its sheet as CSV."
        }
        if member.hasSuffix(".npy") {
            return "holds NumPy arrays (.npz). Write what they hold as a table of CSV, or as a file of torch.save."
        }
        if member.hasSuffix("/data.pkl") || member == "data.pkl" {
            return "is a file of torch.save, or was one. Where a table is wanted, write what it holds as CSV."
        }
        return nil
    }
}
