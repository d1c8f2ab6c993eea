/// Values as the bytes that hashes cover: what they are and in which order, not what they are called.
///
/// Renaming a property, a JSON key or a column, or rewording a message, changes no hash. `docs/formats.md` specifies the form.
package struct CanonicalForm: Sendable, Equatable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// The form of a list of values.
    package init(_ values: [any CanonicalValue]) { append(list: values) }

    package mutating func append(_ value: some CanonicalValue) { value.append(to: &self) }

    package mutating func append(list values: [any CanonicalValue]) {
        append(tag: "l", count: values.count)
        for value in values { value.append(to: &self) }
    }

    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    package var sha256: String { Digest.sha256(bytes) }

    fileprivate mutating func append(_ text: String) { bytes += text.utf8 }

    /// What begins a value of several parts: a letter, their number, a colon.
    fileprivate mutating func append(tag: String, count: Int) { append("\(tag)\(count):") }
}

/// A value that has a canonical form.
package protocol CanonicalValue {
    func append(to form: inout CanonicalForm)
}

extension Bool: CanonicalValue {
    package func append(to form: inout CanonicalForm) { form.append(self ? "t" : "f") }
}

extension Int: CanonicalValue {
    package func append(to form: inout CanonicalForm) { form.append("i\(self);") }
}

extension UInt64: CanonicalValue {
    package func append(to form: inout CanonicalForm) { form.append("i\(self);") }
}

extension Double: CanonicalValue {
    /// By its bits, of which all 16 digits are written; every NaN is the one quiet NaN.
    package func append(to form: inout CanonicalForm) {
        let digits = String(isNaN ? 0x7FF8_0000_0000_0000 : bitPattern, radix: 16)
        form.append("d" + String(repeating: "0", count: 16 - digits.count) + digits)
    }
}

extension Float: CanonicalValue {
    /// As the same number in double precision.
    package func append(to form: inout CanonicalForm) { Double(self).append(to: &form) }
}

extension String: CanonicalValue {
    package func append(to form: inout CanonicalForm) {
        form.append(tag: "s", count: utf8.count)
        form.append(self)
    }
}

extension Optional: CanonicalValue where Wrapped: CanonicalValue {
    package func append(to form: inout CanonicalForm) {
        if let self { self.append(to: &form) } else { form.append("n") }
    }
}

extension Array: CanonicalValue where Element: CanonicalValue {
    package func append(to form: inout CanonicalForm) { form.append(list: self) }
}

/// A list of values of several kinds, as a value.
package struct CanonicalList: CanonicalValue {
    package let values: [any CanonicalValue]

    package init(_ values: [any CanonicalValue]) { self.values = values }

    package func append(to form: inout CanonicalForm) { form.append(list: values) }
}
