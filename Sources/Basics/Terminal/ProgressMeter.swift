import Foundation
import Synchronization

/// Tells on stderr how far a long step is: a bar on a terminal, a line now and then elsewhere, nothing when quiet.
///
/// The clock and the sink are handed in, so that tests decide what time it is and see what is written.
package final class ProgressMeter: Sendable {
    package enum Style: Sendable { case bar, lines, quiet }

    private struct Step {
        let title: String, unit: String
        let total: Int, start: Int, begun: Double
        var done: Int, shown: Double
    }

    private let style: Style
    private let columns: Int
    private let clock: @Sendable () -> Double
    private let write: @Sendable (String) -> Void
    private let step = Mutex<Step?>(nil)

    /// - Parameters:
    ///   - clock: seconds since any fixed moment, never going back.
    ///   - write: receives the text as it is to appear, control characters included.
    package init(
        style: Style, columns: Int = 80, clock: @escaping @Sendable () -> Double = ProgressMeter.uptime,
        write: @escaping @Sendable (String) -> Void = { Console.show($0) }
    ) {
        self.style = style
        self.columns = columns
        self.clock = clock
        self.write = write
    }

    /// What suits the process's stderr.
    package static func standard(quiet: Bool) -> ProgressMeter {
        ProgressMeter(style: quiet ? .quiet : Console.errorIsTerminal ? .bar : .lines, columns: Console.columns)
    }

    package static let uptime: @Sendable () -> Double = { ProcessInfo.processInfo.systemUptime }

    /// Begins a step of `total` units; `done` of them were there already and do not count for the rate.
    package func begin(_ title: String, total: Int, unit: String, done: Int = 0) {
        let now = clock()
        step.withLock {
            $0 = Step(title: title, unit: unit, total: total, start: done, begun: now, done: done, shown: now)
            show(&$0, at: now, always: style == .bar)
        }
    }

    package func advance(to done: Int) {
        step.withLock {
            guard $0 != nil else { return }
            $0?.done = done
            show(&$0, at: clock(), always: false)
        }
    }

    /// For work that knows its size only when it has begun: the first call begins a step, the others advance it.
    package func reporting(_ title: String, unit: String) -> (_ done: Int, _ all: Int) -> Void {
        var hasBegun = false
        return { done, all in
            if !hasBegun { self.begin(title, total: all, unit: unit) }
            hasBegun = true
            self.advance(to: done)
        }
    }

    /// Ends the step and takes its bar away.
    package func end() {
        step.withLock {
            if $0 != nil, style == .bar { write("\r\u{1B}[K") }
            $0 = nil
        }
    }

    /// A line of the log, above the bar if there is one.
    package func note(_ line: String) {
        guard style != .quiet else { return }
        step.withLock { step in
            write(style == .bar && step != nil ? "\r\u{1B}[K\(line)\n" : "\(line)\n")
            if style == .bar { show(&step, at: clock(), always: true) }
        }
    }

    /// Seconds between two redrawn bars, and between two lines where there is no terminal.
    private static let barInterval = 0.1, lineInterval = 15.0

    private func show(_ step: inout Step?, at now: Double, always: Bool) {
        guard style != .quiet, var current = step else { return }
        guard always || now - current.shown >= (style == .bar ? Self.barInterval : Self.lineInterval) else { return }
        current.shown = now
        step = current
        let text = Self.describe(
            title: current.title, unit: current.unit, done: current.done, total: current.total, start: current.start,
            seconds: now - current.begun, barWidth: style == .bar ? 24 : 0)
        write(style == .bar ? "\r\(text.prefix(columns - 1))\u{1B}[K" : "\(text)\n")
    }

    /// One state of a step in words: `train/resnet34/fold0 [######......] 60/120 images, 12.5/s, 0:05 left`.
    package static func describe(
        title: String, unit: String, done: Int, total: Int, start: Int, seconds: Double, barWidth: Int
    ) -> String {
        var text = title
        if barWidth > 0 {
            let filled = total > 0 ? min(barWidth, max(0, done) * barWidth / total) : barWidth
            text +=
                " [" + String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled) + "]"
        }
        text += " \(done)/\(total) \(unit)"
        guard seconds > 0, done > start else { return text }
        let rate = Double(done - start) / seconds
        text += ", \(Numbers.fixed(rate, rate < 100 ? 1 : 0))/s"
        if done < total { text += ", \(Numbers.duration(Double(total - done) / rate)) left" }
        return text
    }
}
