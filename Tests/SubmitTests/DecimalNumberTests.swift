import Testing

@testable import Submit
@testable import TestSupport

@Suite("decimal numbers")
struct DecimalNumberTests {
    private func read(_ text: String) -> DecimalNumber {
        let number = Array(text.utf8).withUnsafeBytes { DecimalNumber($0[...]) }
        // Where the fast reader takes a number, it is the same one.
        let padded = Array(text.utf8) + [UInt8(ascii: "\n")] + Array(repeating: 0, count: PlainNumberReader.plainReach)
        padded.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let (value, end) = PlainNumberReader().plain(at: start),
                end == start + text.utf8.count
            else { return }
            #expect(number == .finite(value), "\(text)")
        }
        return number
    }

    @Test("300,000 random doubles written in the shortest form read back to the same bits")
    func roundTrip() {
        var generator = SplitMix64(state: 11)
        var failures = 0
        for _ in 0..<100_000 {
            let anyBits = Double(bitPattern: generator.next())
            let probability = Double.random(in: 0..<1, using: &generator)
            let small = probability * 0x1p-30
            for value in [anyBits, probability, small] where value.isFinite {
                if read(shortest(value)) != .finite(value) { failures += 1 }
            }
        }
        #expect(failures == 0)
    }

    @Test("numbers of 1 to 25 digits at every place are rounded as the standard library rounds them")
    func roundsCorrectly() {
        var generator = SplitMix64(state: 12)
        for _ in 0..<100_000 {
            let digits = (0..<Int.random(in: 1...25, using: &generator)).map { _ in
                String(UInt64.random(in: 0...9, using: &generator))
            }
            let point = Int.random(in: 0...digits.count, using: &generator)
            let text = "0" + digits[..<point].joined() + "." + digits[point...].joined()
            let exponent = ["", "e-5", "E+3", "e-12", "e20"][Int.random(in: 0..<5, using: &generator)]
            #expect(read(text + exponent) == Double(text + exponent).map { .finite($0) })
        }
    }

    @Test("halfway cases go to the even neighbour, and a hair above or below decides otherwise")
    func halfway() {
        // 2^53 + 1 lies between two doubles; so does 1 + 2^-53, written out in full below.
        #expect(read("9007199254740993") == .finite(9007199254740992))
        #expect(read("9007199254740995") == .finite(9007199254740996))
        #expect(read("900719925474099.3e1") == .finite(9007199254740992))
        #expect(read("1.00000000000000011102230246251565404236316680908203125") == .finite(1))
        #expect(read("1.00000000000000011102230246251565404236316680908203126") == .finite(1.0.nextUp))
        #expect(read("0.99999999999999999999") == .finite(1))
    }

    @Test(
        "forms that people write are read",
        arguments: [
            ("0", 0), ("1", 1), ("+0.5", 0.5), (".5", 0.5), ("5.", 5), ("1e-06", 1e-6), ("1E-6", 1e-6), ("1e+2", 100),
            ("-0.25", -0.25),
            ("0000.5000", 0.5), ("1e-400", 0), ("4.9e-324", .leastNonzeroMagnitude), ("0e999999999999999999999", 0),
        ] as [(String, Double)])
    func forms(text: String, value: Double) {
        #expect(read(text) == .finite(value))
    }

    @Test(
        "what is no finite decimal number is told apart",
        arguments: [
            ("", DecimalNumber.empty), ("nan", .notFinite), ("NaN", .notFinite), ("-inf", .notFinite),
            ("Infinity", .notFinite),
            ("1e999", .notFinite), ("0x1p3", .malformed), ("1,5", .malformed), ("abc", .malformed), (".", .malformed),
            ("-", .malformed),
            ("1e", .malformed), ("1e+", .malformed), ("1.2.3", .malformed), ("1 2", .malformed), ("--1", .malformed),
            ("1_000", .malformed),
            ("nano", .malformed), ("½", .malformed),
        ])
    func refused(text: String, expected: DecimalNumber) {
        #expect(read(text) == expected)
    }

    @Test(
        "numbers are written in the shortest form",
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (0.5, "0.5"), (1e-6, "1e-06"), (0.1 + 0.2, "0.30000000000000004"),
            (100, "100"),
        ]
            as [(Double, String)])
    func writes(value: Double, text: String) {
        #expect(shortest(value) == text)
    }
}
