import Basics

/// What a file is that has not the header of a table, told by its first bytes.
enum NoTable {
    /// Says what the file is and what to do; nil if it may be a table.
    static func found(in bytes: UnsafeRawBufferPointer) -> String? {
        if let impostor = Impostor.found(in: bytes) { return impostor }
        let kind = kinds.first { kind in
            bytes.count > kind.offset && bytes[kind.offset...].starts(with: kind.signature)
        }
        if let kind { return "is \(kind.what) and no table. \(kind.advice)" }
        let start = bytes.prefix(512)
        if start.first == 0x80, let version = start.dropFirst().first, 2...5 ~= version { return pickle }
        let text = String(decoding: start, as: UTF8.self).drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        if text.hasPrefix("{") || text.hasPrefix("[") {
            return "is JSON and no table: as a download, the answer of a server that refuses. \(asCSV)"
        }
        if text.hasPrefix("<?xml") || text.hasPrefix("<Error>") {
            return "is XML and no table: as a download, the answer of a server that refuses. Download it again."
        }
        if ["(dp", "(lp", "ccopy_reg", "cnumpy", "c__builtin__"].contains(where: text.hasPrefix) { return pickle }
        if start.dropFirst(8).first == UInt8(ascii: "{") && start.dropFirst(2).prefix(6).contains(0) {
            return "is a safetensors file and no table. repro predict makes a table of weights and slices."
        }
        // UTF-16 that is a table was recoded before.
        return start.contains(0) ? "holds bytes that no text has, and is no table. \(asCSV)" : nil
    }

    private static let asCSV = "Write what it holds as CSV with the columns ID and Label."
    private static let pickle =
        "is a Python pickle and no table. The original's predictions: repro import-predictions; a data frame: to_csv(index=False)."

    private struct Kind {
        let signature: [UInt8]
        var offset = 0
        let what: String
        var advice = NoTable.asCSV
    }

    /// From the formats' specifications and the file command's list.
    private static let kinds =
        [
            Kind(
                signature: Array("PAR1".utf8), what: "a Parquet file",
                advice: "Write it as CSV: pandas.read_parquet(...).to_csv(..., index=False)."),
            Kind(
                signature: Array("ARROW1".utf8), what: "a Feather (Arrow) file",
                advice: "Write it as CSV: pandas.read_feather(...).to_csv(..., index=False)."),
            Kind(signature: Array("FEA1".utf8), what: "a Feather file"),
            Kind(signature: [0x93] + Array("NUMPY".utf8), what: "a NumPy array (.npy)"),
            Kind(signature: [0x89] + Array("HDF\r\n".utf8) + [0x1A], what: "an HDF5 file"),
            Kind(
                signature: Array("SQLite format 3\0".utf8), what: "an SQLite database",
                advice: "Of a catalog, repro catalog export makes a table."),
            Kind(
                signature: [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], what: "an Excel workbook (.xls)",
                advice: "Save its sheet as CSV."),
            Kind(signature: Array("%PDF-".utf8), what: "a PDF"),
            Kind(signature: [0x89] + Array("PNG".utf8), what: "a picture"),
            Kind(signature: [0xFF, 0xD8, 0xFF], what: "a picture"),
            Kind(signature: Array("DICM".utf8), offset: 128, what: "a DICOM file"),
            Kind(signature: Array("ORC".utf8), what: "an ORC file"),
            Kind(signature: Array("Obj\u{1}".utf8), what: "an Avro file"),
            Kind(
                signature: Array("/annex/objects/".utf8), what: "a git-annex pointer",
                advice: "Get the file with: git annex get"),
            Kind(
                signature: [0xFF, 0xFE, 0, 0], what: "a text in UTF-32",
                advice: "Write it in UTF-8: iconv -f UTF-32 -t UTF-8."),
            Kind(
                signature: [0, 0, 0xFE, 0xFF], what: "a text in UTF-32",
                advice: "Write it in UTF-8: iconv -f UTF-32 -t UTF-8."),
        ] + packed.map { Kind(signature: $0, what: "compressed", advice: "Unpack it first.") }

    /// 7-zip, RAR, LZ4, compress, and what the library's callers unpack themselves: gzip, bzip2, xz, zstd, zip.
    private static let packed: [[UInt8]] = [
        [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], Array("Rar!".utf8) + [0x1A, 7], [0x04, 0x22, 0x4D, 0x18], [0x1F, 0x9D],
        [0x1F, 0x8B], Array("BZh".utf8), [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], [0x28, 0xB5, 0x2F, 0xFD],
        [0x50, 0x4B, 3, 4],
    ]
}
