import Catalog

/// What a stage does: the first part of its name.
package enum StageKind: String, Sendable, CaseIterable {
    case demoData = "demo-data"
    case unpack, catalog, train, predict, blend, submission, validate, score

    /// The revision of the code that decides the result of stages of this kind, counted from 1.
    ///
    /// Raise it whenever such a stage comes to give other bits for the same inputs and settings: then it is made again in work
    /// directories that have it. A change of messages, speed or layout is none. A test compares each kind's results with those
    /// that `golden/revisions.json` has for its revision.
    package var revision: Int {
        switch self {
        case .demoData: 1
        case .unpack: 1
        case .catalog: CatalogBuilder.revision
        case .train: 1
        case .predict: 1
        case .blend: 1
        case .submission: 1
        case .validate: 1
        case .score: 1
        }
    }
}
