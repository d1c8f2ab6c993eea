import Basics

/// What was reached in the competition, for comparison (docs/original.md).
package enum PublishedMarks {
    /// Scores on the private part of the test set, lower is better.
    package static let all: [(score: Double, what: String)] = [
        (0.04383, "1st place"),
        (0.04607, "2nd place, one model end to end"),
        (0.05517, "58th place: the solution that this kit reproduces"),
    ]

    /// The marks and a score among them, in order.
    package static func text(with score: Double) -> String {
        let lines = (all + [(score, "these predictions")]).sorted { $0.score < $1.score }
        return "published, on the private test set:\n"
            + lines.map { "  \(Numbers.fixed($0.score, 5))  \($0.what)" }.joined(separator: "\n")
    }
}
