/// Paths are bytes to the system and text here; these carry the bytes that are no UTF-8 through text and back.
///
/// Byte `b` of these stands as the character U+10FF00 + `b`, from the end of the last private plane. A name that has such a character
/// itself has its bytes stand that way too, so that no two paths have the same text.
extension String {
    private static let firstStandIn: UInt32 = 0x10_FF80

    /// A path's bytes as text.
    package init(path bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self), !text.hasStandIns {
            self = text
            return
        }
        var scalars = UnicodeScalarView()
        var (parser, iterator, rest) = (Unicode.UTF8.ForwardParser(), bytes.makeIterator(), bytes[...])
        func standIns(_ count: Int) {
            scalars.append(contentsOf: rest.prefix(count).compactMap { Unicode.Scalar(0x10_FF00 + UInt32($0)) })
            rest = rest.dropFirst(count)
        }
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .emptyInput:
                self.init(scalars)
                return
            case .error(let length): standIns(length)
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                guard scalar.value < Self.firstStandIn else { standIns(encoded.count); continue }
                scalars.append(scalar)
                rest = rest.dropFirst(encoded.count)
            }
        }
    }

    /// The bytes of the path that this is the text of.
    package var pathBytes: [UInt8] {
        guard hasStandIns else { return Array(utf8) }
        return unicodeScalars.flatMap { scalar in
            scalar.value < Self.firstStandIn ? Array(String(scalar).utf8) : [UInt8(truncatingIfNeeded: scalar.value)]
        }
    }

    /// Whether all of the path is UTF-8, so that its text is its bytes.
    package var isPlainPath: Bool { !hasStandIns }

    /// Calls the system with the path's bytes.
    package func withPath<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        guard hasStandIns else { return try withCString(body) }
        return try (pathBytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { bytes in
            // Not empty: it ends with the zero.
            try bytes.baseAddress.map(body) ?? withCString(body)
        }
    }

    /// The characters that stand for bytes are F4 8F BE xx and F4 8F BF xx in UTF-8, and nothing else begins with F4 8F BE or BF.
    private var hasStandIns: Bool {
        utf8.contains(0xF4) && unicodeScalars.contains { $0.value >= Self.firstStandIn }
    }
}
