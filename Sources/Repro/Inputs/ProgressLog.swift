import Foundation

/// Tells a long step's progress on stderr: a line at most every five seconds, and the last one.
final class ProgressLog {
    private var last = ContinuousClock.now

    func note(_ line: @autoclosure () -> String, isLast: Bool = false) {
        let now = ContinuousClock.now
        guard isLast || now - last >= .seconds(5) else { return }
        last = now
        write(line())
    }

    func write(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}

/// What a command prints for `--json`: keys sorted, so that equal results are equal bytes.
enum JSONReport {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
