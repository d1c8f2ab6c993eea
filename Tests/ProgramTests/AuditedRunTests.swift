import Foundation
import Metrics
import Submit
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("audit of a work directory")
struct AuditedRunTests {
    /// Audits a run with one thing changed; what is found is found by this check alone.
    private func audit(
        _ check: String, _ verdict: AuditFinding.Verdict = .failed, _ change: (inout AuditedRun) -> Void
    ) throws -> AuditFinding {
        var run = AuditedRun()
        change(&run)
        let findings = try run.findings()
        #expect(findings.keys.sorted() == [check], "\(findings.values.map(\.line))")
        let finding = try #require(findings[check])
        #expect(finding.verdict == verdict)
        #expect(finding.count > 0 && !finding.examples.isEmpty && !finding.message.isEmpty && !finding.remedy.isEmpty)
        return finding
    }

    @Test("a run with nothing wrong has no finding, and the command ends with 0")
    func clean() throws {
        let findings = try AuditedRun().findings()
        #expect(findings.isEmpty, "\(findings.values.map(\.line))")
        try InputFixtures.withFolder { folder in
            try AuditedRun().write(input: "\(folder)/in", work: "\(folder)/work")
            let run = try ProgramRun("audit", "--work", "\(folder)/work")
            #expect(run.status == 0, "\(run.output)\(run.errors)")
            #expect(!run.output.contains("FAILED"))
        }
    }

    @Test("a finding ends the command with 1, and JSON tells check, verdict, count, examples and remedy")
    func command() throws {
        try InputFixtures.withFolder { folder in
            var broken = AuditedRun()
            broken.train[3].labels = [.subdural]
            try broken.write(input: "\(folder)/in", work: "\(folder)/work")
            let run = try ProgramRun("audit", "--work", "\(folder)/work", "--json")
            #expect(run.status == 1 && run.errors.contains("checks failed"))
            let found = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[String: Any]])
            let failed = try #require(found.first { $0["verdict"] as? String == "FAILED" })
            #expect(failed["check"] as? String == "any where a type is" && failed["count"] as? Int == 1)
            #expect((failed["examples"] as? [String])?.count == 1 && failed["remedy"] is String)
        }
    }

    @Test("a patient in two folds")
    func patientInTwoFolds() throws {
        let finding = try audit("each patient in one fold") {
            $0.sql = "UPDATE slice SET patientID = 'ID_p0' WHERE split = 'train' AND id < 'ID_10000000a'"
        }
        #expect(finding.examples.first?.hasPrefix("ID_p0 in folds 0, ") == true)
    }

    @Test("a patient in train and test")
    func patientInTrainAndTest() throws {
        let finding = try audit("no patient in train and test") { $0.test[0].header.patientID = "ID_p5" }
        #expect(finding.examples == ["ID_p5"])
    }

    @Test("an image in train and test")
    func imageInTrainAndTest() throws {
        let finding = try audit("no image in train and test") { $0.test[1].pixels = $0.train[7].dicom.pixels }
        #expect(finding.examples == ["test ID_100000385 = train ID_100000007"])
    }

    @Test("a study of two patients")
    func studyOfTwoPatients() throws {
        let finding = try audit("each study of one patient") {
            $0.sql = "UPDATE slice SET studyInstanceUID = 'ID_study8' WHERE id = 'ID_100000009'"
        }
        #expect(finding.examples == ["ID_study8 of ID_p8, ID_p9"])
    }

    @Test("a training slice without a fold")
    func withoutFold() throws {
        let finding = try audit("each training slice in a fold") {
            $0.sql = "UPDATE slice SET fold = NULL WHERE id = 'ID_100000004'"
        }
        #expect(finding.examples == ["ID_100000004"])
    }

    @Test("folds without a type that enough patients have")
    func foldWithoutType() throws {
        let finding = try audit("each type in every fold", .note) {
            $0.sql = "UPDATE slice SET labels = 'epidural any' WHERE fold = 0"
        }
        #expect(finding.examples.first == "fold 1 without epidural" && finding.count == 5)
    }

    @Test("folds out of balance")
    func balance() throws {
        let finding = try audit("folds in balance", .note) {
            $0.sql = """
                UPDATE slice SET fold = 0 WHERE fold = 1 AND id > (SELECT min(id) FROM slice WHERE fold = 1)
                AND labels <> ''
                """
        }
        #expect(finding.examples.contains { $0.hasPrefix("fold 1 has 0.") && $0.hasSuffix("of subdural") })
    }

    @Test("equal images with different labels")
    func contradictingLabels() throws {
        let finding = try audit("equal images, equal labels") {
            $0.train[2].dicom.pixels = $0.train[115].dicom.pixels
        }
        #expect(finding.examples == ["ID_100000002 = ID_100000073"])
    }

    @Test("any that is not the OR of the types", arguments: [[HemorrhageType.subdural], [.any]])
    func labelLogic(labels: [HemorrhageType]) throws {
        let finding = try audit("any where a type is") { $0.train[3].labels = labels }
        #expect(finding.examples == ["ID_100000003 (\(labels[0].rawValue))"])
    }

    @Test("a slice whose rows are there twice")
    func repeatedRows() throws {
        let finding = try audit("each slice labelled once", .note) { $0.train[1].times = 2 }
        #expect(finding.examples == ["ID_100000001"])
    }

    @Test("an image whose pixels wrapped around")
    func wrapped() throws {
        let finding = try audit("no wrapped pixels", .note) {
            $0.train[6].dicom.header.bitsStored = 12
            $0.train[6].dicom.header.highBit = 11
            $0.train[6].dicom.header.highBit = 11
            $0.train[6].dicom.header.pixelRepresentation = 0
            $0.train[6].dicom.header.rescaleIntercept = 0
            $0.train[6].dicom.pixels = (0..<24).map { $0 * 40 }
        }
        #expect(finding.examples == ["ID_100000006"])
    }

    @Test("an image of one value")
    func constantImage() throws {
        let finding = try audit("no constant image", .note) {
            $0.train[9].dicom.pixels = Array(repeating: 40, count: 24)
        }
        #expect(finding.examples == ["ID_100000009"])
    }

    @Test("a file that cannot be used")
    func unusableFile() throws {
        let finding = try audit("every file usable", .note) { $0.train[9].missingBytes = 9 }
        #expect(finding.examples == ["ID_100000009 (truncated)"])
    }

    @Test("predictions of slices that the model trained on, passed off as out of fold")
    func inSample() throws {
        let finding = try audit("out of fold is out of fold") {
            $0.changePredictions = { tables in
                let paths = [0, 1].map { "\(WorkFolder.predictions(.resnet34, fold: $0))/oof.csv" }
                (tables[paths[0]], tables[paths[1]]) = (tables[paths[1]], tables[paths[0]])
            }
        }
        #expect(finding.count >= 40)
        #expect(finding.examples.first?.contains("fold0/oof.csv is of fold 1") == true)
    }

    @Test("scores that the files do not reproduce: claimed too low, or of predictions that were changed")
    func scores() throws {
        let claimed = try audit("scores reproduced") {
            $0.changeScores = { $0.lines[0].overall -= 1e-6 }
        }
        #expect(claimed.count == 1 && claimed.examples.first?.contains("fold 0") == true)
        let changed = try audit("scores reproduced") {
            $0.changePredictions = { $0["\(WorkFolder.predictions(.resnet34, fold: 2))/oof.csv"]?.values[4] += 1e-9 }
        }
        #expect(changed.count == 1 && changed.examples.first?.contains("fold 2") == true)
    }

    @Test("outputs that are not what the run wrote: changed, or gone")
    func outputs() throws {
        let changed = try audit("outputs as recorded") {
            $0.damage = { try InputFixtures.write("{}", to: "\($0)/submission.csv") }
            $0.changeRecord = { record in
                record.stages["submission"] = record.stages["catalog"]
                record.stages["submission"]?.outputs = [
                    .init(path: "submission.csv", sha256: String(repeating: "0", count: 64))
                ]
            }
        }
        #expect(changed.examples == ["submission.csv of stage submission was changed"])
        let gone = try audit("outputs as recorded") {
            $0.changeRecord = { record in
                record.stages["submission"] = record.stages["catalog"]
                record.stages["submission"]?.outputs = [.init(path: "submission.csv", sha256: "0")]
            }
        }
        #expect(gone.examples == ["submission.csv of stage submission is gone"])
    }

    @Test("a catalog that was changed after the run was made from it")
    func changedCatalog() throws {
        let finding = try audit("outputs as recorded") {
            $0.changeRecord = { $0.stages["catalog"]?.outputs[0].sha256 = Digest.sha256("another catalog") }
        }
        #expect(finding.examples == ["catalog.sqlite of stage catalog was changed"])
    }

    @Test("hashes that do not chain")
    func chain() throws {
        let finding = try audit("stages chain") {
            $0.changeRecord = { $0.stages["score"]?.inputs = Digest.sha256("other predictions") }
        }
        #expect(finding.examples == ["score"])
    }

    @Test("one output under two names")
    func copies() throws {
        let finding = try audit("no output twice") {
            $0.changeRecord = { record in
                record.stages["score/again"] = record.stages["score"]
            }
        }
        #expect(finding.examples == ["scores.json = scores.json"])
    }

    @Test("a stage of another revision")
    func revision() throws {
        let finding = try audit("stages of this revision", .failed) {
            $0.changeRecord = { $0.stages["score"]?.revision = 7 }
        }
        #expect(finding.examples == ["score of revision 7, this program makes 1"])
    }

    @Test("an entry that was edited in run.json, and the root hash with it")
    func edited() throws {
        let finding = try audit("record unedited", .failed) {
            $0.damage = { work in
                let path = "\(work)/run.json"
                let text = try String(contentsOfFile: path, encoding: .utf8)
                let record = try #require(try RunRecord.load(from: work))
                let hash = try #require(record.stages["score"]?.hash)
                try text.replacingOccurrences(
                    of: "\"hash\" : \"\(hash)\"", with: "\"hash\" : \"\(Digest.sha256("x"))\""
                )
                .write(toFile: path, atomically: true, encoding: .utf8)
            }
        }
        #expect(finding.examples == ["score", "the root hash"])
    }
}
