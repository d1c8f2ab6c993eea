import Foundation
import Testing

@testable import Basics
@testable import Submit
@testable import TestSupport

@Suite("Values that are not what they are taken for")
struct ProbabilitiesTests {
    private func table(_ values: [Double]) -> PredictionTable { PredictionTable(sliceIDs: ["ID_a"], values: values) }

    @Test("probabilities stay as they are; what rounding put outside is held and counted; more than that is refused")
    func rounding() throws {
        let good = table([0, 1, 0.5, 1e-300, 1 - 1e-16, 0.25])
        #expect(try good.probabilities(areLogits: false, name: "x") == (good, 0))
        let (held, count) = try table([-1e-6, 1 + 1e-6, 0.5, -1e-17, 1, 0]).probabilities(areLogits: false, name: "x")
        #expect(held.values == [0, 1, 0.5, 0, 1, 0] && count == 3)
        for value in [-1.1e-6, 1 + 1.1e-6, 2, -3, .nan, .infinity] {
            let failure = InputFixtures.failure {
                _ = try table([0, 0, value, 0, 0, 0]).probabilities(areLogits: false, name: "x.csv")
            }
            #expect(failure?.status == .badInput && failure?.message.contains("x.csv: 1 of 6") == true, "\(value)")
        }
    }

    @Test("logits and percent are called that, and logits become probabilities when that is said")
    func scales() throws {
        let logits = table([-8, 8, 0, -0.5, 3, 1])
        #expect(
            InputFixtures.failure { _ = try logits.probabilities(areLogits: false, name: "x") }?.message.contains(
                "--logits") == true)
        let percent = table([80, 8, 0, 5, 3, 1])
        #expect(
            InputFixtures.failure { _ = try percent.probabilities(areLogits: false, name: "x") }?.message.contains(
                "percent") == true)
        let made = try logits.probabilities(areLogits: true, name: "x").table.values
        // In 40 digits, rounded.
        let expected = [
            0.00033535013046647811, 0.99966464986953352, 0.5, 0.37754066879814544, 0.95257412682243322,
            0.73105857863000487,
        ]
        for (made, expected) in zip(made, expected) { #expect(abs(made - expected) <= 2e-16) }
        #expect(
            try table([-800, 800, 0, 0, 0, 0]).probabilities(areLogits: true, name: "x").table.values[..<2] == [0, 1])
    }
}
