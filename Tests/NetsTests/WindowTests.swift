import Foundation
import Testing

@testable import Nets

@Suite("Windows")
struct WindowTests {
    @Test("the original's windows are (x - 0) / 80, (x + 20) / 200 and (x + 150) / 380 between their ends")
    func original() {
        let expected: [(lower: Float, span: Float)] = [(0, 80), (-20, 200), (-150, 380)]
        #expect(Window.original.count == expected.count)
        for (window, (lower, span)) in zip(Window.original, expected) {
            for hu in -1100...3100 {
                let value = Float(hu)
                let clipped = min(max(value, lower), lower + span)
                #expect(window.position(of: value) == (clipped - lower) / span)
            }
        }
    }

    @Test("an odd width is halved downwards, as Python's w // 2")
    func oddWidth() {
        let window = Window(center: 40, width: 81)
        #expect(window.lower == 0 && window.upper == 80)
        #expect(window.position(of: 80) == 1)
    }

    @Test("infinities and NaN end up inside 0 ... 1")
    func notFinite() {
        let window = Window.original[0]
        #expect(window.position(of: .infinity) == 1)
        #expect(window.position(of: -.infinity) == 0)
        #expect(window.position(of: .nan) == 0)
    }

    @Test("a window is coded as center and width, and one narrower than 2 HU is refused")
    func coding() throws {
        let window = Window(center: 40, width: 80)
        #expect(try JSONDecoder().decode(Window.self, from: JSONEncoder().encode(window)) == window)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Window.self, from: Data(#"{"center": 40, "width": 1}"#.utf8))
        }
    }
}
