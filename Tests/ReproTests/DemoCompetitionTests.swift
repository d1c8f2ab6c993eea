import Foundation
import Metrics
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("Demo competition")
struct DemoCompetitionTests {
    private static let small = DemoSettings(patients: 24, size: 32, seed: 3, threads: 2)

    @Test("the archive unpacks to what was drawn, and the catalog meets every quirk")
    func wholeWay() throws {
        try InputFixtures.withFolder { folder in
            let written = try DemoCompetition(settings: Self.small).write(to: folder)
            _ = try Unpacker(archive: written.archive, destination: folder + "/in").run()
            let input = try CompetitionFolder.locate(in: folder + "/in")
            #expect(input.root.hasSuffix("/rsna-intracranial-hemorrhage-detection"))
            #expect(try DemoCompetition.contentManifest(of: input).rootHash == written.contentHash)

            let report = try SliceCatalog(path: folder + "/c.sqlite").build(CatalogSettings(input: input, threads: 2))
            let train = try #require(report.splits["train"])
            #expect(train.skipped == ["truncated": 1])
            #expect(train.read == written.trainSlices - 1)
            #expect(report.splits["test"]?.read == written.testSlices)
            #expect(train.droppedByBrainWindow > 0)
            for (quirk, count) in train.quirks where quirk != "no window in the header" {
                #expect(count > 0, "\(quirk)")
            }
            #expect(train.sizes.count == 3)
            #expect(report.folds.count == 5)
        }
    }

    @Test("the same settings give the same archive on any number of threads; another seed gives another")
    func deterministic() throws {
        try InputFixtures.withFolder { folder in
            var settings = Self.small
            settings.patients = 10
            let first = try DemoCompetition(settings: settings).write(to: folder + "/a")
            settings.threads = 1
            let second = try DemoCompetition(settings: settings).write(to: folder + "/b")
            #expect(first.contentHash == second.contentHash)
            #expect(try Digest.sha256(file: first.archive) == Digest.sha256(file: second.archive))
            settings.seed = 4
            #expect(try DemoCompetition(settings: settings).write(to: folder + "/c").contentHash != first.contentHash)
        }
    }

    @Test("a third of the slices bleed, each type in at least eight patients, `any` wherever there is one")
    func balance() {
        let train = DemoPlan(DemoSettings()).slices.filter { $0.split == .train }
        let share = Double(train.count { !$0.labels.isEmpty }) / Double(train.count)
        #expect(share > 0.28 && share < 0.4)
        for type in HemorrhageType.allCases {
            #expect(Set(train.filter { $0.labels.contains(type) }.map(\.header.patientID)).count >= 8, "\(type)")
        }
        #expect(train.allSatisfy { $0.labels.isEmpty || ($0.labels.contains(.any) && $0.labels.count > 1) })
        #expect(train.contains { $0.labels.count > 2 })
    }

    @Test("a bleeding continues over neighbouring slices of its study")
    func continuity() {
        for type in HemorrhageType.allCases {
            let studies = Dictionary(grouping: DemoPlan(DemoSettings()).slices, by: \.header.studyInstanceUID).values
            let bleeding = studies.map { $0.map { $0.labels.contains(type) } }.filter { $0.contains(true) }
            // Slices are in the order of their heights; a run of them has the label.
            for flags in bleeding {
                let run = flags.drop { !$0 }.prefix { $0 }
                #expect(run.count == flags.count { $0 }, "\(type)")
            }
            #expect(bleeding.count { $0.count { $0 } >= 2 } == bleeding.count, "\(type)")
        }
    }

    @Test("a labelled slice shows blood: more points of 55 to 80 HU than the same slice without the bleeding")
    func visible() {
        for type in HemorrhageType.allCases where type != .any {
            let slices = DemoPlan(DemoSettings()).slices.filter { $0.labels == [type, .any] }.prefix(6)
            #expect(!slices.isEmpty)
            for slice in slices {
                func bright(_ lesions: [DemoLesion]) -> Int {
                    let section = DemoHeadSection(head: slice.head, height: slice.height, lesions: lesions)
                    let image = DemoImage.render(section, rows: 64, columns: 64, seed: slice.noiseSeed)
                    return image.count { (55...80).contains($0) }
                }
                #expect(bright(slice.lesions) >= bright([]) + 12, "\(type) in \(slice.id)")
            }
        }
    }

    @Test("a head has air around it, a skull of about 1000, brain of about 35 and no blood")
    func anatomy() {
        let section = DemoHeadSection(head: DemoHead(seed: 1), height: 0.5, lesions: [])
        let image = DemoImage.render(section, rows: 96, columns: 96, seed: 1)
        #expect(image[0] < -900)
        func share(_ range: ClosedRange<Int32>) -> Double {
            Double(image.count { range.contains($0) }) / Double(image.count)
        }
        #expect(share(20...46) > 0.25)
        #expect(share(700...1400) > 0.05)
        #expect(share(-2...18) > 0.03)
        #expect(share(56...80) < 0.01)
    }
}
