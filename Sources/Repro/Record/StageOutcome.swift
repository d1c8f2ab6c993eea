/// How one stage of a run ended.
package struct StageOutcome: Sendable, Equatable {
    package let name: String
    package let hash: String
    /// How long it was worked on, over all sessions; nil if it was skipped.
    package let seconds: Double?
    /// Whether the result depends on the arithmetic of training.
    package let isTrained: Bool

    package init(name: String, hash: String, seconds: Double?, isTrained: Bool) {
        self.name = name
        self.hash = hash
        self.seconds = seconds
        self.isTrained = isTrained
    }
}
