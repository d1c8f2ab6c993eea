import Basics
import Catalog
import Foundation
import Inputs
import Metrics
import Nets

/// A run's inputs once they are unpacked and catalogued; each part is read when it is first asked for.
package final class Competition {
    private let folder: WorkFolder
    private let recipe: Recipe
    /// The unpacked data: in the work directory, or the user's own folder.
    private let root: String

    package init(folder: WorkFolder, recipe: Recipe, root: String) {
        self.folder = folder
        self.recipe = recipe
        self.root = root
    }

    package lazy var catalog = SliceCatalog(path: folder.path(WorkFolder.catalog))

    package func located() throws -> CompetitionFolder { try CompetitionFolder.locate(in: root) }

    package func sampleSubmission() throws -> String {
        let found = try located()
        guard let sample = found.sampleSubmission else {
            throw Failure(
                .inputMissing,
                "\(found.root)/stage_\(found.stage)_sample_submission.csv: not there. It lists the rows of a submission and belongs to the competition's archive."
            )
        }
        return sample
    }

    private var read: (train: [CatalogSlice], test: [CatalogSlice])?

    /// The slices of a split after the original's filter, in ascending order of ID.
    package func slices(in split: Split) throws -> [CatalogSlice] {
        if let read { return split == .train ? read.train : read.test }
        let input = try located().root
        let slices = (
            train: try catalog.slices(in: .train, root: input), test: try catalog.slices(in: .test, root: input)
        )
        read = slices
        return split == .train ? slices.train : slices.test
    }

    private var openStore: SliceStore?

    package func store() throws -> SliceStore {
        if let openStore { return openStore }
        let store = SliceStore(
            slices: try slices(in: .train) + slices(in: .test), repairsWrap: recipe.catalog.repairWrappedPixels)
        openStore = store
        return store
    }

    /// Forgets what was read, because it is about to be made again.
    package func reset() {
        read = nil
        openStore = nil
    }

    /// The slices that a fold's training may use, and those that it is scored on.
    package func slices(outOf fold: Int) throws -> [CatalogSlice] { try slices(in: .train).filter { $0.fold != fold } }
    package func slices(inFold fold: Int) throws -> [CatalogSlice] { try slices(in: .train).filter { $0.fold == fold } }

    package func labels() throws -> TableStages.LabelledSlices {
        var result = TableStages.LabelledSlices()
        for slice in try slices(in: .train) {
            guard let fold = slice.fold else { continue }
            result.ids.append(slice.id)
            result.labels += HemorrhageType.allCases.map { slice.labels.contains($0) }
            result.folds.append(fold)
        }
        return result
    }
}
