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

    /// Reads a number of the plain form `digits[.digits][e[+-]digits]` where it stands in a file, without looking for its end first.
    ///
    /// - Returns: The number and what follows it; nil for every other form, for more digits than 64 bits hold and for more than 27
    ///   places, which ``DecimalNumber/init(_:)`` reads. `plainReach` bytes have to be readable from `start` on.
    @inline(__always)
    func plain(at start: UnsafeRawPointer) -> (value: Double, end: UnsafeRawPointer)? {
        var position = start
        var digits: UInt64 = 0
        guard Self.takeDigits(at: &position, into: &digits) else { return nil }
        var places = 0
        let whole = position - start
        if position.load(as: UInt8.self) == UInt8(ascii: ".") {
            position += 1
            let first = position
            guard Self.takeDigits(at: &position, into: &digits) else { return nil }
            places = position - first
        }
        guard whole + places > 0 else { return nil }
        if position.load(as: UInt8.self) | 0x20 == UInt8(ascii: "e") {
            position += 1
            let sign = position.load(as: UInt8.self)
            if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
            var exponent: UInt64 = 0
            let first = position
            guard Self.takeDigits(at: &position, into: &exponent), 1...4 ~= position - first else { return nil }
            places += sign == UInt8(ascii: "-") ? Int(exponent) : -Int(exponent)
        }
        guard 0...27 ~= places else { return nil }
        return (quotient(digits, tenToThe: places), position)
    }

    /// How many bytes ``plain(at:)`` may look at: three runs of up to 40 digits, taken eight at a time, and what joins them.
    static let plainReach = 160

    /// Appends the digits at a position to a number; false if it could exceed 64 bits or there are more than 40 of them.
    @inline(__always)
    private static func takeDigits(at position: inout UnsafeRawPointer, into digits: inout UInt64) -> Bool {
        let limit = position + 40
        // 10^11 times 10^8, and another 8 digits, are still below 2^64.
        while digits < 100_000_000_000, position < limit,
            let eight = eightDigits(position.loadUnaligned(as: UInt64.self))
        {
            digits = digits * 100_000_000 + eight
            position += 8
        }
        while true {
            let digit = position.load(as: UInt8.self) &- UInt8(ascii: "0")
            guard digit < 10 else { return true }
            guard digits < 1_000_000_000_000_000_000, position < limit else { return false }
            digits = digits * 10 + UInt64(digit)
            position += 1
        }
    }

    /// The number that eight bytes spell, the first of them the lowest; nil if one is no digit.
    ///
    /// Neighbours are combined to pairs, pairs to fours and fours to eight by three multiplications (D. Lemire, "Quickly parsing
    /// eight digits", 2018).
    @inline(__always)
    private static func eightDigits(_ bytes: UInt64) -> UInt64? {
        let highHalves: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        guard (bytes & highHalves) | ((bytes &+ 0x0606_0606_0606_0606) & highHalves) >> 4 == 0x3333_3333_3333_3333
        else {
            return nil
        }
        let ones = bytes &- 0x3030_3030_3030_3030
        let pairs = ones &* 10 &+ ones >> 8
        let firstAndThird = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let secondAndFourth = (pairs >> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (firstAndThird &+ secondAndFourth) >> 32
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
        return Double(bitPattern: Double(kept).bitPattern &+ UInt64(bitPattern: Int64(exponent)) << 52)
    }
}
