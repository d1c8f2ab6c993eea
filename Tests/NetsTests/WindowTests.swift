import Foundation
import Testing

@testable import Nets

@Suite("Windows")
struct WindowTests {
    @Test("the original's windows are (x - 0) / 80, (x + 20) / 200 and (x + 150) / 380 between their ends")
    func original() {
        let expected: [(lower: Float, span: Float)] = [(0, 80), (-20, 200), (-150, 380)]
        #expect(Window.original.count == expected.count)
        let lanes = WindowLanes(Window.original)
        for hu in -1100...3100 {
            let value = Float(hu)
            let positions = lanes.position(of: value)
            for (lane, (lower, span)) in expected.enumerated() {
                let clipped = min(max(value, lower), lower + span)
                #expect(positions[lane] == (clipped - lower) / span)
            }
        }
    }

    @Test("an odd width is halved downwards, as Python's w // 2")
    func oddWidth() {
        let window = Window(center: 40, width: 81)
        #expect(window.lower == 0 && window.upper == 80)
        #expect(WindowLanes([window]).position(of: 80)[0] == 1)
    }

    @Test("infinities and NaN end up inside 0 ... 1")
    func notFinite() {
        let lanes = WindowLanes(Window.original)
        for lane in 0..<3 {
            #expect(lanes.position(of: .infinity)[lane] == 1)
            #expect(lanes.position(of: -.infinity)[lane] == 0)
            #expect(lanes.position(of: .nan)[lane] == 0)
        }
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
