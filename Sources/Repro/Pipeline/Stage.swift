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

    /// Unique in a run, `/` between its parts: `train/resnet34/fold0`.
    package let name: String
    /// The stages whose results this one reads; they come earlier in the run.
    package let needs: [String]
    /// Settings in canonical text: if it changes, the stage is made again.
    package let settings: String
    package let outputs: [Output]
    /// Whether the result depends on the arithmetic of training, so that it is golden with exact arithmetic only.
    package var isTrained = false
    /// Whether what an interrupted run of this stage left is of use to the next one, which then must check it itself.
    package var resumes = false
    /// Whether the same holds for what a finished run left, because every file in it is checked by itself.
    package var repairs = false
    /// The stage's hash if it is not that of its outputs' bytes: files whose bytes differ with a library's version hash their content.
    package var contentHash: (() throws -> String)?
    /// Does the work. `key` names these inputs, settings and program: it marks what an interrupted run leaves.
    package let run: (_ key: String) throws -> Void
}
