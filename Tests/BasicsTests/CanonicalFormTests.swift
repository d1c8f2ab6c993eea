import Testing

@testable import Basics

@Suite struct CanonicalFormTests {
    @Test("every kind of value has the form that docs/formats.md gives it")
    func forms() {
        func form(_ values: any CanonicalValue...) -> String {
            String(decoding: CanonicalForm(values).bytes, as: UTF8.self)
        }
        #expect(form() == "l0:")
        #expect(form(true, false, 0, -7, UInt64.max) == "l5:tfi0;i-7;i18446744073709551615;")
        #expect(form(1.0, -0.0, 0.1 as Float) == "l3:d3ff0000000000000d8000000000000000d3fb99999a0000000")
        #expect(form(-Double.nan, Double.infinity) == "l2:d7ff8000000000000d7ff0000000000000")
        #expect(form("", "l2:ä") == "l2:s0:s5:l2:ä")
        #expect(form(Int?.none, Int?.some(3), [1, 2], [String]()) == "l4:ni3;l2:i1;i2;l0:")
        #expect(form(CanonicalList(["a", 1]), CanonicalList([])) == "l2:l2:s1:ai1;l0:")
    }

    @Test("different values have different forms")
    func different() {
        let values: [[any CanonicalValue]] = [
            [], [""], ["", ""], ["a", "b"], ["ab"], ["ab", ""], [1], ["1"], [1.0], [true], [Int?.none], [[1]],
            [[1], [2]],
            [[1, 2]], [12], [1, 2], [[Int]()], ["t"], ["n"], ["i1;"],
        ]
        #expect(Set(values.map { CanonicalForm($0).sha256 }).count == values.count)
    }
}
