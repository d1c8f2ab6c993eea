import Synchronization
import Testing

@testable import Basics

@Suite struct ProgressTests {
    /// A clock that stands still until told, and what was written.
    private final class Screen: Sendable {
        let time = Mutex(0.0)
        let text = Mutex("")

        func progress(_ style: ProgressMeter.Style) -> ProgressMeter {
            ProgressMeter(
                style: style, columns: 60, clock: { self.time.withLock { $0 } },
                write: { new in self.text.withLock { $0 += new } })
        }

        func wait(_ seconds: Double) { time.withLock { $0 += seconds } }
        var written: String { text.withLock { $0 } }
    }

    @Test("a bar shows what is done, the rate and the remaining time")
    func bar() {
        let text = ProgressMeter.describe(
            title: "train", unit: "images", done: 60, total: 120, start: 0, seconds: 4, barWidth: 10)
        #expect(text == "train [#####.....] 60/120 images, 15.0/s, 0:04 left")
    }

    @Test("what was done before the start does not count for the rate")
    func resumedRate() {
        let text = ProgressMeter.describe(
            title: "train", unit: "images", done: 60, total: 120, start: 40, seconds: 4, barWidth: 0)
        #expect(text == "train 60/120 images, 5.0/s, 0:12 left")
    }

    @Test("a step of nothing, and one that has just begun, claim no rate")
    func noRate() {
        #expect(
            ProgressMeter.describe(title: "t", unit: "files", done: 0, total: 0, start: 0, seconds: 0, barWidth: 4)
                == "t [####] 0/0 files")
        #expect(
            ProgressMeter.describe(title: "t", unit: "files", done: 0, total: 9, start: 0, seconds: 5, barWidth: 0)
                == "t 0/9 files")
    }

    @Test("without a terminal a line appears every 15 seconds and no control character")
    func lines() {
        let screen = Screen()
        let progress = screen.progress(.lines)
        progress.begin("hash", total: 100, unit: "files")
        for done in 1...45 {
            screen.wait(1)
            progress.advance(to: done)
        }
        progress.end()
        #expect(screen.written.split(separator: "\n").count == 3)
        #expect(screen.written.hasPrefix("hash 15/100 files, 1.0/s, 1:25 left\n"))
        #expect(!screen.written.contains { $0 == "\r" || $0 == "\u{1B}" })
    }

    @Test("a bar is redrawn in place, no wider than the terminal, and goes away at the end")
    func redrawn() {
        let screen = Screen()
        let progress = screen.progress(.bar)
        progress.begin("a title that is very much longer than the terminal is wide, by far", total: 3, unit: "files")
        screen.wait(1)
        progress.advance(to: 1)
        progress.end()
        let drawn = screen.written.split(separator: "\r").map { $0.replacing("\u{1B}[K", with: "") }
        #expect(drawn.allSatisfy { $0.count <= 59 })
        #expect(screen.written.hasSuffix("\r\u{1B}[K"))
    }

    @Test("a quiet run writes nothing")
    func quiet() {
        let screen = Screen()
        let progress = screen.progress(.quiet)
        progress.begin("hash", total: 100, unit: "files")
        screen.wait(100)
        progress.advance(to: 50)
        progress.note("a word")
        progress.end()
        #expect(screen.written == "")
    }

    @Test("numbers for people are the same in every locale")
    func numbers() {
        #expect(Numbers.fixed(0.05517, 4) == "0.0552")
        #expect(Numbers.fixed(-0.00001, 2) == "0.00")
        #expect(Numbers.fixed(-1.005, 1) == "-1.0")
        #expect(Numbers.fixed(12, 0) == "12")
        #expect(Numbers.fixed(.nan, 2) == "nan")
        #expect(Numbers.duration(7) == "0:07")
        #expect(Numbers.duration(750) == "12:30")
        #expect(Numbers.duration(11_100) == "3:05:00")
        #expect(Numbers.duration(187_200) == "2 d 4 h")
        #expect(Numbers.bytes(512) == "512 B")
        #expect(Numbers.bytes(459_000_000_000) == "459.0 GB")
        #expect(Numbers.bytes(999_960) == "1.0 MB")
        #expect(Numbers.count(752_803) == "752 803")
    }

    @Test("the columns of a table line up and no line ends in spaces")
    func table() {
        var table = TextTable([("stage", .left), ("seconds", .right)])
        table.add("unpack", "1.5")
        table.add("a", "skipped")
        #expect(table.text == "stage   seconds\nunpack      1.5\na       skipped")
    }
}
