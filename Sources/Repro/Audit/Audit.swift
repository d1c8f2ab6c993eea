import Basics
import Catalog
import Foundation
import Inputs
import Metrics

/// What one check of the audit found.
package struct AuditFinding: Sendable, Equatable, Encodable {
    package enum Verdict: String, Sendable, Encodable {
        case ok
        /// Worth knowing, and no fault of the run.
        case note
        case failed = "FAILED"
    }

    package let check: String
    package let verdict: Verdict
    /// How many cases there are.
    package let count: Int
    /// What the cases are and what they mean; empty if there is none.
    package let message: String
    /// What to do about them; empty if there is none.
    package let remedy: String
    /// Some of the cases, by name.
    package let examples: [String]

    /// How many cases are named; all are counted.
    package static let shownExamples = 5

    package init(_ check: String, _ cases: [String], _ message: String, remedy: String, asNote: Bool = false) {
        self.check = check
        verdict = cases.isEmpty ? .ok : asNote ? .note : .failed
        count = cases.count
        self.message = cases.isEmpty ? "" : message
        self.remedy = cases.isEmpty ? "" : remedy
        examples = Array(cases.prefix(Self.shownExamples))
    }

    /// The finding in one line: severity, check, count, meaning, examples, remedy.
    package var line: String {
        let more = count > examples.count ? ", ..." : ""
        return
            "\(verdict.rawValue): \(check): \(count): \(message) (\(examples.joined(separator: ", "))\(more)). \(remedy)"
    }
}

/// The checks of a catalog and of a run's record, as pure functions; `docs/original.md` says where each comes from.
package enum Audit {
    package static func findings(_ slices: [AuditedSlice]) -> [AuditFinding] {
        [
            patientsInSeveralFolds(slices), patientsInTrainAndTest(slices), imagesInTrainAndTest(slices),
            studiesOfSeveralPatients(slices), slicesWithoutFold(slices), foldsWithoutAType(slices),
            foldsOutOfBalance(slices), contradictingLabels(slices), brokenLabelLogic(slices), repeatedLabels(slices),
            wrappedPixels(slices), constantImages(slices),
        ]
    }

    /// A patient in two folds makes out-of-fold scores too good: the network has seen the patient's other slices.
    package static func patientsInSeveralFolds(_ slices: [AuditedSlice]) -> AuditFinding {
        let folds = groups(slices.filter { $0.fold != nil }, by: \.patientID) { "\($0.fold ?? 0)" }
        let cases = folds.filter { $0.values.count > 1 }.map {
            "\($0.key) in folds \($0.values.joined(separator: ", "))"
        }
        return AuditFinding(
            "each patient in one fold", cases, "patients are in several folds: out-of-fold scores are too good",
            remedy: "Make the folds by patient (repro catalog does) and train again.")
    }

    package static func patientsInTrainAndTest(_ slices: [AuditedSlice]) -> AuditFinding {
        let splits = groups(slices, by: \.patientID) { $0.split.rawValue }
        return AuditFinding(
            "no patient in train and test", splits.filter { $0.values.count > 1 }.map(\.key),
            "patients are in train and in test: test scores are too good (stage 1 of the competition has this leak)",
            remedy: "Score without these patients, and say so.")
    }

    /// Blank slices outside the head may well be equal, so only slices of the data set count.
    package static func imagesInTrainAndTest(_ slices: [AuditedSlice]) -> AuditFinding {
        let splits = groups(slices.filter(\.isKept), by: \.hounsfieldSHA256) { "\($0.split.rawValue) \($0.id)" }
        let cases = splits.map(\.values).filter { names in
            names.contains { $0.hasPrefix("train") } && names.contains { $0.hasPrefix("test") }
        }
        return AuditFinding(
            "no image in train and test", cases.map { $0.joined(separator: " = ") },
            "images are in train and in test, pixel by pixel", remedy: "Score without these slices, and say so.")
    }

    package static func studiesOfSeveralPatients(_ slices: [AuditedSlice]) -> AuditFinding {
        let patients = groups(slices, by: \.studyInstanceUID) { $0.patientID }
        let cases = patients.filter { $0.values.count > 1 }.map { "\($0.key) of \($0.values.joined(separator: ", "))" }
        return AuditFinding(
            "each study of one patient", cases,
            "studies belong to several patients: folds by patient do not keep them together",
            remedy: "Put the patients of a study into one fold.")
    }

    package static func slicesWithoutFold(_ slices: [AuditedSlice]) -> AuditFinding {
        AuditFinding(
            "each training slice in a fold",
            slices.filter { $0.split == .train && $0.isKept && $0.fold == nil }.map(\.id),
            "training slices have no fold", remedy: "Make the catalog again: repro catalog.")
    }

    /// A fold without a type that enough patients have to reach every fold cannot tell how well that type is found.
    package static func foldsWithoutAType(_ slices: [AuditedSlice]) -> AuditFinding {
        let members = slices.filter { $0.fold != nil }
        let folds = Set(members.compactMap(\.fold)).sorted()
        var cases: [String] = []
        for type in HemorrhageType.allCases.map(\.rawValue) {
            let positive = members.filter { $0.types.contains(type) }
            guard Set(positive.map(\.patientID)).count >= folds.count else { continue }
            let present = Set(positive.compactMap(\.fold))
            cases += folds.filter { !present.contains($0) }.map { "fold \($0) without \(type)" }
        }
        return AuditFinding(
            "each type in every fold", cases,
            "folds lack a type that enough patients have to be in each: their scores say nothing about it",
            remedy: "Read these folds' scores of the type with care, or make the folds with another seed.", asNote: true
        )
    }

    /// Folds that have half as many positive slices of a type again as they should, or half as few, of types that are not rare.
    package static func foldsOutOfBalance(_ slices: [AuditedSlice]) -> AuditFinding {
        let members = slices.filter { $0.fold != nil }
        let folds = Set(members.compactMap(\.fold)).sorted()
        var cases: [String] = []
        for type in HemorrhageType.allCases.map(\.rawValue) {
            let positive = members.filter { $0.types.contains(type) }
            // With fewer patients in a fold than this, chance alone puts a fold out of balance.
            guard Set(positive.map(\.patientID)).count >= 20 * folds.count else { continue }
            let mean = Double(positive.count) / Double(folds.count)
            for fold in folds {
                let share = Double(positive.count { $0.fold == fold }) / mean
                if share > 0 && !(0.5...1.5).contains(share) {
                    cases.append("fold \(fold) has \(Numbers.fixed(share, 2)) times the mean of \(type)")
                }
            }
        }
        return AuditFinding(
            "folds in balance", cases, "folds have far more or fewer slices of a type than the mean of all folds",
            remedy: "Compare scores over all folds together rather than fold by fold.", asNote: true)
    }

    /// An image of one value shows nothing; if it is in the data set, its labels teach nothing.
    package static func constantImages(_ slices: [AuditedSlice]) -> AuditFinding {
        let constant = slices.filter(\.isConstant)
        return AuditFinding(
            "no constant image", constant.map(\.id),
            "images have one value everywhere; \(constant.count(where: \.isKept)) of them are in the data set",
            remedy: "Look at the files: they may be damaged.", asNote: true)
    }

    package static func contradictingLabels(_ slices: [AuditedSlice]) -> AuditFinding {
        let labelled = slices.filter { $0.split == .train }
        let byImage = Dictionary(grouping: labelled, by: \.hounsfieldSHA256).values
        let cases = byImage.filter { Set($0.map(\.types)).count > 1 }
            .map { $0.map(\.id).sorted().joined(separator: " = ") }
        return AuditFinding(
            "equal images, equal labels", cases.sorted(), "images are equal, pixel by pixel, and have different labels",
            remedy: "One of them is wrong: leave both out, or ask who labelled them.")
    }

    package static func brokenLabelLogic(_ slices: [AuditedSlice]) -> AuditFinding {
        let cases = slices.filter { slice in
            let others = slice.types.subtracting([HemorrhageType.any.rawValue])
            return slice.types.contains(HemorrhageType.any.rawValue) == others.isEmpty
        }
        return AuditFinding(
            "any where a type is", cases.map { "\($0.id) (\($0.labels))" },
            "slices have a type without 'any', or 'any' without a type",
            remedy: "Correct the label file: any is 1 exactly if a type is.")
    }

    package static func repeatedLabels(_ slices: [AuditedSlice]) -> AuditFinding {
        AuditFinding(
            "each slice labelled once", slices.filter(\.isRepeated).map(\.id),
            "slices are listed twice in the label file, with the same labels (in Kaggle's, four are)",
            remedy: "Nothing has to be done: they count once.", asNote: true)
    }

    package static func wrappedPixels(_ slices: [AuditedSlice]) -> AuditFinding {
        let wrapped = slices.filter(\.isWrapped)
        let kept = wrapped.count(where: \.isKept)
        return AuditFinding(
            "no wrapped pixels", wrapped.map(\.id),
            "slices have pixel values that wrapped around (air reads as about 3096): the brain-window filter drops "
                + "\(wrapped.count - kept), the networks see \(kept)",
            remedy: "The recipe's repair_wrapped_pixels mends them; the original did not.", asNote: true)
    }

    package static func skippedFiles(_ skipped: [SkippedSlice]) -> AuditFinding {
        AuditFinding(
            "every file usable", skipped.map { "\($0.id) (\($0.reason))" },
            "files or labels could not be used and were left out",
            remedy: "See the table skipped of the catalog for the reasons.", asNote: true)
    }

    /// Compares what `run.json` says was written with what is there.
    ///
    /// - Parameter currentHash: The SHA-256 of an output as it is now, by its path in the work directory; nil if it is gone,
    ///   and the recorded hash itself where that is not one of a file's bytes.
    package static func provenance(
        _ record: RunRecord, currentHash: (RunRecord.Output) throws -> String?
    ) rethrows -> [AuditFinding] {
        let outputs = record.stages.sorted { $0.key < $1.key }.flatMap { stage in
            stage.value.outputs.map { (stage.key, $0) }
        }
        let broken = try outputs.compactMap { stage, output -> String? in
            guard let hash = try currentHash(output) else { return "\(output.path) of stage \(stage) is gone" }
            return hash == output.sha256 ? nil : "\(output.path) of stage \(stage) was changed"
        }
        let unchained = record.stages.filter { $0.value.inputs != record.inputsHash(of: $0.value.needs) }.map(\.key)
        let foreign = record.stages.compactMap { name, stage -> String? in
            guard let kind = StageKind(rawValue: kind(of: name)), kind.revision != stage.revision else { return nil }
            return "\(name) of revision \(stage.revision), this program makes \(kind.revision)"
        }
        let edited = record.editedStages + (record.hasIntactRoot ? [] : ["the root hash"])
        // What went wrong in the original's `testmerge`: one blend under two names. A submission may equal its own blend.
        // Networks of one fold learn from the same patients.
        let different = outputs.filter { stage, output in record.stages[stage]?.labels?.list != output.path }
        let copies = Dictionary(grouping: different) { stage, output in [kind(of: stage), output.sha256] }
            .values.filter { $0.count > 1 }.map { $0.map(\.1.path).joined(separator: " = ") }
        return [
            AuditFinding(
                "outputs as recorded", broken,
                "outputs are not what the run wrote",
                remedy:
                    "Run repro reproduce again; remove a changed file of inputs/ first if its time is the old one."),
            AuditFinding(
                "stages chain", unchained.sorted(),
                "stages were made from other results than those recorded now", remedy: "Run repro reproduce again."),
            AuditFinding(
                "no output twice", copies.sorted(),
                "outputs that should differ are equal: another blend, fold or model than it says",
                remedy: "Find out which of them is missing, and make it again."),
            AuditFinding(
                "stages of this revision", foreign.sorted(),
                "stages were made by code that decides other results than this program's",
                remedy: "Run repro reproduce again, or audit with the version that made them."),
            AuditFinding(
                "record unedited", edited,
                "entries of run.json, or the recipe, are not what they hash to",
                remedy: "Ask for the record as the run wrote it."),
        ]
    }

    /// What a stage does: `blend` of `blend/blend-15-50-35`.
    private static func kind(of stage: String) -> String { String(stage.prefix { $0 != "/" }) }

    /// For each key, ascending, the distinct values, ascending.
    private static func groups(
        _ slices: [AuditedSlice], by key: (AuditedSlice) -> String, value: (AuditedSlice) -> String
    ) -> [(key: String, values: [String])] {
        Dictionary(grouping: slices, by: key).map { ($0.key, Set($0.value.map(value)).sorted()) }
            .sorted { $0.0 < $1.0 }
    }
}
