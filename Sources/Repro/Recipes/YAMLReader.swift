import Basics
import Yams

/// A value in a YAML file that knows where it stands, so that every complaint names file, line and key.
package struct YAMLValue {
    package let node: Node
    /// File name for messages.
    package let file: String
    /// Where the value is in the document: `backbones.resnet34.folds[0].batch`.
    package let path: String

    /// Parses a document; a syntax error, a repeated key or an empty file is a ``Failure``.
    package init(document text: String, file: String) throws {
        do {
            guard let node = try compose(yaml: text) else { throw Failure(.badInput, "\(file): is empty.") }
            self.init(node: node, file: file, path: "")
        } catch let error as YamlError {
            throw Failure(.badInput, "\(file): is not valid YAML: \(error)")
        }
    }

    private init(node: Node, file: String, path: String) {
        self.node = node
        self.file = file
        self.path = path
    }

    package func failure(_ problem: String, at node: Node? = nil) -> Failure {
        let line = ((node ?? self.node).mark).map { ":\($0.line):\($0.column)" } ?? ""
        return Failure(.badInput, "\(file)\(line): \(path.isEmpty ? "" : "\(path): ")\(problem)")
    }

    private func expected(_ what: String) -> Failure {
        let found: String =
            switch node {
            case .scalar(let scalar): "'\(scalar.string)'"
            case .mapping: "a mapping"
            case .sequence: "a list"
            case .alias: "an alias"
            }
        return failure("expected \(what), found \(found).")
    }

    // MARK: Values

    package var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["null", "~", ""].contains(scalar.string)
    }

    package func string() throws -> String {
        guard case .scalar(let scalar) = node, !isNull, !scalar.string.isEmpty else { throw expected("text") }
        return scalar.string
    }

    package func bool() throws -> Bool {
        guard let text = plainText, let value = ["true": true, "false": false][text] else {
            throw expected("true or false")
        }
        return value
    }

    package func integer<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws -> Number {
        let wanted = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = plainText, let value = Number(text), range.contains(value) else { throw expected(wanted) }
        return value
    }

    /// A number, or a fraction such as `2/3`, which decimal digits cannot give exactly.
    package func number(in range: ClosedRange<Double>) throws -> Double {
        let wanted = "a number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = plainText else { throw expected(wanted) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Double($0) }
        let value: Double? =
            switch parts.count {
            case 1: parts[0]
            case 2: parts[0].flatMap { numerator in parts[1].map { numerator / $0 } }
            default: nil
            }
        guard let value, range.contains(value) else { throw expected(wanted) }
        return value
    }

    package func choice<Value: RawRepresentable & CaseIterable>(_ type: Value.Type) throws -> Value
    where Value.RawValue == String {
        guard case .scalar(let scalar) = node, let value = Value(rawValue: scalar.string) else {
            throw expected("one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    private var plainText: String? {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return nil }
        return scalar.string
    }

    // MARK: Lists and mappings

    package func list() throws -> [YAMLValue] {
        guard case .sequence(let sequence) = node else { throw expected("a list") }
        return sequence.enumerated().map { YAMLValue(node: $1, file: file, path: "\(path)[\($0)]") }
    }

    /// The entries of a mapping whose keys are the file's choice, in the file's order.
    package func entries() throws -> [(key: YAMLValue, value: YAMLValue)] {
        guard case .mapping(let mapping) = node else { throw expected("a mapping") }
        return try mapping.map { key, value in
            guard case .scalar(let scalar) = key else { throw failure("a key must be text.", at: key) }
            let inner = path.isEmpty ? scalar.string : "\(path).\(scalar.string)"
            return (YAMLValue(node: key, file: file, path: inner), YAMLValue(node: value, file: file, path: inner))
        }
    }

    /// A mapping whose keys are fixed; any other key is an error.
    package func object(_ keys: String...) throws -> YAMLObject {
        let entries = try entries()
        for (key, _) in entries where !keys.contains(key.node.scalar?.string ?? "") {
            throw key.failure("unknown key. Known here: \(keys.joined(separator: ", ")).")
        }
        return YAMLObject(place: self, entries: entries)
    }
}

/// A mapping in a YAML file whose keys were checked.
package struct YAMLObject {
    package let place: YAMLValue
    fileprivate let entries: [(key: YAMLValue, value: YAMLValue)]

    /// The value of a key that must be there.
    package func require(_ key: String) throws -> YAMLValue {
        guard let value = find(key) else { throw place.failure("the key '\(key)' is missing.") }
        return value
    }

    /// The value of a key that may be absent or null.
    package func allow(_ key: String) -> YAMLValue? { find(key).flatMap { $0.isNull ? nil : $0 } }

    private func find(_ key: String) -> YAMLValue? { entries.first { $0.key.node.scalar?.string == key }?.value }
}
