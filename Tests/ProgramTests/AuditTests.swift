import Foundation
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Program
@testable import Repro
@testable import TestSupport

@Suite("audit")
struct AuditTests {
    /// A training slice with nothing wrong; the rest is set where a test needs it.
    private func slice(_ number: Int, patient: String? = nil, fold: Int? = nil, labels: String = "") -> AuditedSlice {
        AuditedSlice(
            split: .train, id: "ID_\(number)", patientID: patient ?? "P\(number)", studyInstanceUID: "S\(number)",
            hounsfieldSHA256: "image\(number)", labels: labels, isRepeated: false, isWrapped: false,
            isConstant: false, isKept: true,
            fold: fold ?? number % 2)
    }

    private func testSlice(_ number: Int) -> AuditedSlice {
        var slice = slice(number)
        slice.split = .test
        slice.fold = nil
        return slice
    }

    private var sound: [AuditedSlice] {
        (0..<4).map { slice($0) } + (4..<8).map { slice($0, labels: "subdural any") } + [testSlice(20)]
    }

    @Test("nothing is found where nothing is wrong")
    func noFinding() {
        for finding in Audit.findings(sound) {
            #expect(finding.verdict == .ok, "\(finding.check)")
            #expect(finding.count == 0 && finding.message.isEmpty && finding.examples.isEmpty)
        }
    }

    @Test("a patient in two folds is a leak")
    func patientInTwoFolds() {
        let finding = Audit.patientsInSeveralFolds(sound + [slice(9, patient: "P0", fold: 1)])
        #expect(finding.verdict == .failed)
        #expect(finding.examples == ["P0 in folds 0, 1"])
    }

    @Test("a patient or an image in train and test is a leak; equal blank slices are not")
    func trainAndTest() {
        var samePatient = testSlice(21)
        samePatient.patientID = "P3"
        #expect(Audit.patientsInTrainAndTest(sound + [samePatient]).examples == ["P3"])
        var sameImage = testSlice(22)
        sameImage.hounsfieldSHA256 = "image3"
        #expect(Audit.imagesInTrainAndTest(sound + [sameImage]).examples == ["test ID_22 = train ID_3"])
        sameImage.isKept = false
        #expect(Audit.imagesInTrainAndTest(sound + [sameImage]).verdict == .ok)
    }

    @Test("a study of two patients escapes folds by patient")
    func studyOfTwoPatients() {
        var other = slice(30)
        other.studyInstanceUID = "S0"
        #expect(Audit.studiesOfSeveralPatients(sound + [other]).examples == ["S0 of P0, P30"])
    }

    @Test("a training slice of the data set without a fold is found, one outside the filter is not")
    func withoutFold() {
        var lost = slice(31)
        lost.fold = nil
        #expect(Audit.slicesWithoutFold(sound + [lost]).examples == ["ID_31"])
        lost.isKept = false
        #expect(Audit.slicesWithoutFold(sound + [lost]).verdict == .ok)
    }

    @Test("a fold without a type that two patients have is found; a type that one patient has cannot be in both folds")
    func foldBalance() {
        let unbalanced =
            sound + [
                slice(40, patient: "A", fold: 0, labels: "epidural any"),
                slice(41, patient: "B", fold: 0, labels: "epidural any"),
            ]
        #expect(Audit.foldsWithoutAType(unbalanced).verdict == .note)
        #expect(Audit.foldsWithoutAType(unbalanced).examples == ["fold 1 without epidural"])
        #expect(Audit.foldsWithoutAType(Array(unbalanced.dropLast())).verdict == .ok)
    }

    @Test("a fold that has far more slices of a type than the others is a note; a constant image is one, too")
    func balanceAndConstantImages() {
        let even = (0..<100).map { slice(1000 + $0, labels: "subdural any") }
        #expect(Audit.foldsOutOfBalance(even).verdict == .ok)
        let uneven = (0..<100).map { slice(1000 + $0, fold: $0 % 8 == 0 ? 1 : 0, labels: "subdural any") }
        let finding = Audit.foldsOutOfBalance(uneven)
        #expect(finding.verdict == .note)
        #expect(finding.examples.first == "fold 0 has 1.74 times the mean of subdural")
        var blank = slice(73)
        blank.isConstant = true
        #expect(Audit.constantImages(sound + [blank]).examples == ["ID_73"])
    }

    @Test("equal images with different labels contradict each other; repetition and order of labels do not")
    func contradictions() {
        var twin = slice(50, labels: "any subdural any subdural")
        twin.hounsfieldSHA256 = "image4"
        #expect(Audit.contradictingLabels(sound + [twin]).verdict == .ok)
        twin.labels = "epidural any"
        #expect(Audit.contradictingLabels(sound + [twin]).examples == ["ID_4 = ID_50"])
    }

    @Test("any without a type and a type without any are found")
    func labelLogic() {
        let finding = Audit.brokenLabelLogic(
            sound + [slice(60, labels: "any"), slice(61, labels: "epidural subdural")])
        #expect(finding.examples == ["ID_60 (any)", "ID_61 (epidural subdural)"])
    }

    @Test("repeated labels, wrapped pixels and unusable files are notes with their counts")
    func notes() {
        var repeated = slice(70)
        repeated.isRepeated = true
        var wrapped = slice(71)
        wrapped.isWrapped = true
        var dropped = slice(72)
        dropped.isWrapped = true
        dropped.isKept = false
        #expect(Audit.repeatedLabels(sound + [repeated]).verdict == .note)
        let finding = Audit.wrappedPixels(sound + [wrapped, dropped])
        #expect(finding.verdict == .note && finding.count == 2)
        #expect(finding.message.hasSuffix("the brain-window filter drops 1, the networks see 1"))
        let skipped = SkippedSlice(split: .train, id: "ID_9", path: "ID_9.dcm", reason: "truncated", message: "")
        #expect(Audit.skippedFiles([skipped]).examples == ["ID_9 (truncated)"])
    }

    @Test("an output that is gone or changed, a stage of another revision and an edited entry break the provenance")
    func provenance() throws {
        var record = RunRecord(program: "1", recipe: try RecipeLibrary.recipe("demo"), machine: .current, threads: 1)
        func stage(_ revision: Int, _ path: String) -> RunRecord.StageRecord {
            RunRecord.StageRecord(
                needs: [], inputs: Digest.sha256(""), settings: "", revision: revision, program: "1",
                outputs: [.init(path: path, sha256: "hash of \(path)")], hash: "", seconds: 0, sessions: 1)
        }
        record.stages = ["blend/a": stage(1, "a.csv"), "blend/b": stage(1, "b.csv"), "score": stage(1, "c.csv")]
        record.chain()
        let intact = Audit.provenance(record) { $0.sha256 }
        #expect(intact.map(\.verdict) == [.ok, .ok, .ok, .ok, .ok])

        record.stages["score"] = stage(0, "c.csv")
        let current = ["a.csv": "hash of a.csv", "b.csv": "another"]
        let broken = Audit.provenance(record) { current[$0.path] }
        #expect(
            broken.map(\.examples) == [
                ["b.csv of stage blend/b was changed", "c.csv of stage score is gone"], [], [],
                ["score of revision 0, this program makes 1"], ["score", "the root hash"],
            ])

        record.stages["blend/d"] = record.stages["blend/a"]
        record.stages["blend/d"]?.outputs[0].path = "d.csv"
        record.stages["submission"] = record.stages["blend/a"]
        let copied = Audit.provenance(record) { $0.sha256 }
        #expect(copied[2].examples == ["a.csv = d.csv"])
        #expect(copied.map(\.verdict) == [.ok, .ok, .failed, .failed, .failed])
    }

    @Test("a stage whose inputs are not what the record has for them breaks the chain")
    func brokenChain() throws {
        var record = RunRecord(program: "1", recipe: try RecipeLibrary.recipe("demo"), machine: .current, threads: 1)
        func add(_ name: String, needs: [String]) {
            record.stages[name] = RunRecord.StageRecord(
                needs: needs, inputs: record.inputsHash(of: needs) ?? "", settings: "", revision: 1, program: "1",
                outputs: [], hash: "hash of \(name)", seconds: 0, sessions: 1)
        }
        add("a", needs: [])
        add("b", needs: ["a"])
        func unchained() -> [String] {
            Audit.provenance(record) { $0.sha256 }.first { $0.check == "stages chain" }?.examples ?? ["no such check"]
        }
        #expect(unchained() == [])
        record.stages["a"]?.hash = "of another run"
        #expect(unchained() == ["b"])
        record.stages["a"] = nil
        #expect(unchained() == ["b"])
    }

    @Test("of many cases the first five are shown and all are counted")
    func manyCases() {
        let finding = Audit.brokenLabelLogic((0..<100).map { slice($0, labels: "any") })
        #expect(finding.count == 100)
        #expect(finding.examples.count == 5)
        #expect(
            AuditCommand.text([finding]).contains(
                "100: slices have a type without 'any', or 'any' without a type (ID_0 (any), ID_1 (any), ID_2 (any), ID_3 (any), ID_4 (any), ...). Correct"
            ))
    }

    @Test("a directory without a catalog is a missing input")
    func withoutCatalog() throws {
        let files = try TableFolder()
        let run = try ProgramRun("audit", "--work", files.path)
        #expect(run.status == 66)
        #expect(run.errors.contains("catalog.sqlite: no catalog here"))
    }
}
