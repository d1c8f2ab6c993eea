import Basics

/// One step of a run: what it reads, what it obeys, what it writes, and how.
package struct Stage {
    /// What a stage's output is and how to tell whether it still is what was written.
    package struct Output {
        /// Relative to the work directory.
        package var path: String
        /// Hashes the file or folder as it is now, given its full path.
        package var hash: (String) throws -> String = { try Digest.sha256(file: $0) }
        /// What the hash is of, if it is not what lies at `path`.
        package var subject: String?
    }

    package let kind: StageKind
    /// Unique in a run, `/` between its parts, of which the first is the kind: `train/resnet34/fold0`.
    package let name: String
    /// The stages whose results this one reads; they come earlier in the run.
    package let needs: [String]
    /// The settings' values; if they change, the stage is made again.
    package let settings: CanonicalForm
    package let outputs: [Output]
    /// Whether the result depends on the arithmetic of training, so that it is golden with exact arithmetic only.
    package var isTrained = false
    /// Whether what an interrupted run of this stage left is of use to the next one, which then must check it itself.
    package var resumes = false
    /// Whether the same holds for what a finished run left, because every file in it is checked by itself.
    package var repairs = false
    /// The output that lists the patients whose labels the stage learns from, by its path; nil if it learns from none.
    package var labels: String?
    /// The stage's hash if it is not that of its outputs' bytes: files whose bytes differ with a library's version hash their content.
    package var contentHash: (() throws -> String)?
    /// See ``StageKind/revision``.
    package var revision: Int
    /// Does the work.
    package let run: (StageSession) throws -> Void

    /// - Parameter name: the parts after the kind; left out, the kind is the whole name.
    package init(
        _ kind: StageKind, name: String = "", needs: [String], settings: [any CanonicalValue] = [], outputs: [Output],
        isTrained: Bool = false, run: @escaping (StageSession) throws -> Void
    ) {
        self.kind = kind
        self.name = name.isEmpty ? kind.rawValue : "\(kind.rawValue)/\(name)"
        self.needs = needs
        self.settings = CanonicalForm(settings)
        self.outputs = outputs
        self.isTrained = isTrained
        revision = kind.revision
        self.run = run
    }
}

/// One session of work on a stage: from its beginning, or from where an earlier one was interrupted, to its end or interruption.
package final class StageSession {
    /// Names the inputs, settings and revision that the work is for: it marks what an interrupted session leaves.
    package let key: String
    private let clock: () -> Double
    private let note: (_ seconds: Double) -> Void
    private let begun: Double
    private var noted: Double
    /// Seconds between two notes: what a kill costs of the time that is remembered.
    private static let interval = 60.0

    /// - Parameter note: remembers how long the session has lasted.
    package init(key: String, clock: @escaping () -> Double, note: @escaping (_ seconds: Double) -> Void) {
        self.key = key
        self.clock = clock
        self.note = note
        begun = clock()
        noted = begun
    }

    package var seconds: Double { clock() - begun }

    /// Remembers now and then that work goes on; long stages call it whenever they have done a piece.
    package func goesOn() {
        let now = clock()
        guard now - noted >= Self.interval else { return }
        noted = now
        note(now - begun)
    }

    /// The same as part of a report of progress.
    package func reporting(
        _ progress: @escaping (_ done: Int, _ all: Int) -> Void
    ) -> (_ done: Int, _ all: Int) -> Void {
        { done, all in
            progress(done, all)
            self.goesOn()
        }
    }
}
