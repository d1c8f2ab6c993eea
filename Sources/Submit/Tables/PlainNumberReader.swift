/// Reads the numbers that nearly all rows hold, fast: digits with a point and an exponent, without sign and spaces.
///
/// A reader holds the table of powers that it needs, so that reading a number looks up nothing else.
struct PlainNumberReader: Sendable {
    /// For each power of five, how far it has to be shifted to have its top bit set, and 2^127 / the shifted power, rounded down.
    private let powers: [(reciprocal: UInt64, shift: Int)] = DecimalNumber.powersOfFive.map { power in
        let shift = power.leadingZeroBitCount
        // 2^127 - 1, so that the reciprocal of 1 fits as well.
        let (quotient, _) = (power << UInt64(shift)).dividingFullWidth((UInt64.max >> 1, UInt64.max))
        return (quotient, shift)
    }
    /// 10^0 to 10^8.
    private let tens: [UInt64] = (0...8).map { (0..<$0).reduce(1) { power, _ in power * 10 } }

    /// Reads a number of the plain form `digits[.digits][e[+-]digits]` where it stands in a file, without looking for its end first.
    ///
    /// - Returns: The number and what follows it; nil for every other form, for more digits than 64 bits hold and for more than 27
    ///   places, which ``DecimalNumber/init(_:)`` reads. `plainReach` bytes have to be readable from `start` on.
    @inline(__always)
    func plain(at start: UnsafeRawPointer) -> (value: Double, end: UnsafeRawPointer)? {
        // Labels are single digits.
        let first = start.load(as: UInt8.self) &- UInt8(ascii: "0")
        if first < 10 && start.load(fromByteOffset: 1, as: UInt8.self) == Byte.newline {
            return (Double(first), start + 1)
        }
        var position = start
        var digits: UInt64 = 0
        guard takeDigits(at: &position, into: &digits) else { return nil }
        var places = 0
        let whole = position - start
        if position.load(as: UInt8.self) == UInt8(ascii: ".") {
            position += 1
            let first = position
            guard takeDigits(at: &position, into: &digits) else { return nil }
            places = position - first
        }
        guard whole + places > 0 else { return nil }
        if position.load(as: UInt8.self) | 0x20 == UInt8(ascii: "e") {
            position += 1
            let sign = position.load(as: UInt8.self)
            if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
            var exponent: UInt64 = 0
            let first = position
            guard takeDigits(at: &position, into: &exponent), 1...4 ~= position - first else { return nil }
            places += sign == UInt8(ascii: "-") ? Int(exponent) : -Int(exponent)
        }
        guard 0...27 ~= places else { return nil }
        return (quotient(digits, tenToThe: places), position)
    }

    /// How many bytes ``plain(at:)`` may look at: three runs of up to 40 digits, taken eight at a time, and what joins them.
    static let plainReach = 160

    /// Appends the digits at a position to a number; false if it exceeds 64 bits or there are more than 40 of them.
    @inline(__always)
    private func takeDigits(at position: inout UnsafeRawPointer, into digits: inout UInt64) -> Bool {
        let limit = position + 40
        while position < limit {
            // Digits become their values, everything else more than 9.
            let bytes = position.loadUnaligned(as: UInt64.self) ^ 0x3030_3030_3030_3030
            let others = ((bytes & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7676_7676_7676_7676 | bytes) & 0x8080_8080_8080_8080
            let count = others.trailingZeroBitCount / 8
            // What follows the digits is shifted out; zeros come before them.
            let value = Self.number(bytes << UInt64(64 - 8 * count))
            let (high, low) = digits.multipliedFullWidth(by: tens[count])
            let (sum, overflows) = low.addingReportingOverflow(value)
            guard high == 0 && !overflows else { return false }
            digits = sum
            position += count
            if count < 8 { return true }
        }
        return false
    }

    /// The number that eight digits make, a byte each, the first of them the lowest.
    ///
    /// Neighbours are combined to pairs, pairs to fours and fours to eight by three multiplications (D. Lemire, "Quickly parsing
    /// eight digits", 2018).
    @inline(__always)
    private static func number(_ digits: UInt64) -> UInt64 {
        let pairs = digits &* 10 &+ digits &>> 8
        let firstAndThird = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let secondAndFourth = (pairs &>> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (firstAndThird &+ secondAndFourth) &>> 32
    }

    /// digits / 10^places, correctly rounded; places is at most 27.
    ///
    /// One multiplication with the reciprocal of the power gives the quotient's leading 63 or 64 bits, at most 2 too low in the
    /// last place. Only where that could decide the rounding, three times in a thousand, the quotient is divided out.
    @inline(__always)
    private func quotient(_ digits: UInt64, tenToThe places: Int) -> Double {
        guard digits != 0 else { return 0 }
        let power = powers[places]
        let shift = digits.leadingZeroBitCount
        let quotient = (digits << UInt64(shift)).multipliedFullWidth(by: power.reciprocal).high
        let dropped = UInt64(11 - quotient.leadingZeroBitCount)
        let rest = quotient & (1 << dropped - 1)
        let half: UInt64 = 1 << (dropped - 1)
        guard rest &- (half - 2) > 2 else { return DecimalNumber.exactQuotient(digits, tenToThe: places) }
        let kept = quotient >> dropped + (rest > half ? 1 : 0)
        let exponent = Int(dropped) - 63 - shift + power.shift - places
        // Neither is near the ends of the range of exponents: the number is 0 or from 1e-27 to 2e19.
        return Double(
            bitPattern: Double(Int64(bitPattern: kept)).bitPattern &+ UInt64(bitPattern: Int64(exponent)) << 52)
    }
}
