import Foundation

/// JSON as the kit writes it: keys sorted, so that equal values give equal bytes.
package enum JSON {
    /// How properties' names become keys.
    package enum Keys: Sendable {
        case asTheyAre, snakeCase
    }

    /// - Parameter indented: for people; else all is on one line without spaces.
    package static func encode(
        _ value: some Encodable, keys: Keys = .asTheyAre, indented: Bool = true
    ) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if indented { encoder.outputFormatting.insert(.prettyPrinted) }
        if keys == .snakeCase { encoder.keyEncodingStrategy = .convertToSnakeCase }
        let text = String(decoding: try encoder.encode(value), as: UTF8.self)
        guard !text.isPlainPath else { return text }
        // What stands for a path's bytes must not become these again: JSON is UTF-8.
        return text.unicodeScalars.map { scalar in
            scalar.value < 0x10_FF80
                ? String(scalar) : "\\udbff\\u" + String(0xDC00 + (scalar.value & 0x3FF), radix: 16)
        }.joined()
    }

    /// Reads a JSON file; an unreadable one is the user's input to mend, so the message names the file and the place.
    ///
    /// - Throws: ``Failure``: `inputMissing` if it cannot be read, `badInput` if it is not the JSON of such a value.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, file path: String, keys: Keys = .asTheyAre
    ) throws -> Value {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it exists and is readable.")
        }
        return try decode(type, from: bytes, name: path, keys: keys)
    }

    /// The same from a file's bytes; `name` is what errors call it.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: Data, name: String, keys: Keys = .asTheyAre
    ) throws -> Value {
        do {
            let decoder = JSONDecoder()
            if keys == .snakeCase { decoder.keyDecodingStrategy = .convertFromSnakeCase }
            return try decoder.decode(type, from: bytes)
        } catch {
            throw Failure(.badInput, "\(name): is not the JSON that was expected here: \(reason(error))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let (context, what): (DecodingError.Context, String) =
            switch error {
            case .keyNotFound(let key, let context): (context, "the key '\(key.stringValue)' is missing")
            case .typeMismatch(let type, let context): (context, "a value that is no \(type)")
            case .valueNotFound(let type, let context): (context, "nothing where a \(type) was expected")
            case .dataCorrupted(let context):
                // A sentence with its full stop, or words without one.
                (context, context.debugDescription.trimmingCharacters(in: CharacterSet(charactersIn: ".")))
            @unknown default: (.init(codingPath: [], debugDescription: ""), "\(error)")
            }
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        return path.isEmpty ? "\(what)." : "\(what) (at \(path))."
    }
}
