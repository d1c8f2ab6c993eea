/// A number as it stands in a table.
enum DecimalNumber: Equatable {
    case finite(Double)
    /// `nan`, `inf` or `infinity` in any case and with any sign, or a number beyond the largest double.
    case notFinite
    case empty
    case malformed

    /// Reads a decimal number, `[+-]digits[.digits][e[+-]digits]` with a digit on at least one side of the point, to the
    /// nearest double, ties to even.
    ///
    /// Probabilities (up to 19 significant digits, up to 27 places) are converted by integer arithmetic; the rest go through
    /// the standard library's conversion, which rounds the same way. Neither depends on the locale.
    init(_ text: Slice<UnsafeRawBufferPointer>) {
        var rest = text
        guard !rest.isEmpty else {
            self = .empty
            return
        }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }

        var digits: UInt64 = 0
        var significant = 0
        var places = 0
        var sawDigit = false
        var sawPoint = false
        while let byte = rest.first {
            if byte == UInt8(ascii: ".") && !sawPoint {
                sawPoint = true
            } else if byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
                sawDigit = true
                if sawPoint { places += 1 }
                if digits != 0 || byte != UInt8(ascii: "0") { significant += 1 }
                if significant <= 19 { digits = digits * 10 + UInt64(byte - UInt8(ascii: "0")) }
            } else {
                break
            }
            rest.removeFirst()
        }
        guard sawDigit else {
            let word = String(decoding: rest, as: UTF8.self).lowercased()
            self = ["nan", "inf", "infinity"].contains(word) ? .notFinite : .malformed
            return
        }
        guard let exponent = Self.exponent(rest) else {
            self = .malformed
            return
        }
        places -= exponent
        if significant <= 19 && (0...27).contains(places) {
            let magnitude = digits == 0 ? 0 : Self.exactQuotient(digits, tenToThe: places)
            self = .finite(isNegative ? -magnitude : magnitude)
        } else if let value = Double(String(decoding: text, as: UTF8.self)) {
            self = value.isFinite ? .finite(value) : .notFinite
        } else {
            self = .malformed
        }
    }

    /// The exponent of `e-6`, 0 of nothing, nil of anything else; values past ±100,000 are held there, which changes no double.
    private static func exponent(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let first = text.first else { return 0 }
        guard first | 0x20 == UInt8(ascii: "e") else { return nil }
        var digits = text.dropFirst()
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits.removeFirst() }
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") else { return nil }
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 100_000)
        }
        return isNegative ? -value : value
    }

    /// digits / 10^places, correctly rounded; places is at most 27, for 5^27 is the last power of five below 2^64.
    ///
    /// Both numbers are shifted to have their top bit set, so the 128-by-64-bit quotient has 63 or 64 bits, more than the 53 that
    /// are kept; the remainder decides what the bits cannot. 10^n = 5^n 2^n, and the twos only move the exponent.
    static func exactQuotient(_ digits: UInt64, tenToThe places: Int) -> Double {
        let divisor = powersOfFive[places]
        let dividendShift = digits.leadingZeroBitCount
        let divisorShift = divisor.leadingZeroBitCount
        let dividend = digits << UInt64(dividendShift)
        let (quotient, remainder) = (divisor << UInt64(divisorShift)).dividingFullWidth((dividend >> 1, dividend << 63))

        let dropped = 64 - quotient.leadingZeroBitCount - 53
        var kept = quotient >> UInt64(dropped)
        let rest = quotient & (1 << UInt64(dropped) - 1)
        let half: UInt64 = 1 << UInt64(dropped - 1)
        if rest > half || rest == half && (remainder != 0 || kept & 1 == 1) { kept += 1 }
        let exponent = dropped - 63 - dividendShift + divisorShift - places
        return Double(sign: .plus, exponent: exponent, significand: Double(kept))
    }

    static let powersOfFive: [UInt64] = (0...27).map { (0..<$0).reduce(1) { power, _ in power * 5 } }
}

/// Gives the shortest decimal number that reads back to the same double: `0`, `0.5`, `1e-06`.
///
/// The digits are those of Swift's and Python's shortest forms, without the `.0` of whole numbers; -0 is written as 0.
func withShortest(_ value: Double, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    var text = (value == 0 ? 0 : value).description
    text.withUTF8 { text in
        let isWhole =
            text.count > 2 && text[text.count - 2] == UInt8(ascii: ".") && text[text.count - 1] == UInt8(ascii: "0")
        body(isWhole ? UnsafeBufferPointer(rebasing: text[..<(text.count - 2)]) : text)
    }
}
