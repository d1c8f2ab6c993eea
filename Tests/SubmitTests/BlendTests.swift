import Testing

@testable import Submit

@Suite("blend and submission")
struct BlendTests {
    private let a = PredictionTable(sliceIDs: ["ID_a"], values: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    private let b = PredictionTable(sliceIDs: ["ID_a"], values: [0.7, 0.05, 1.0 / 3, 0.9, 1e-7, 0.999])
    private let c = PredictionTable(sliceIDs: ["ID_a"], values: [2.0 / 3, 0.123456789, 0.25, 0.011, 0, 1])

    /// Expected values: `0.15 * a + 0.5 * b + 0.35 * c` in numpy 2.4.6, float64, printed with repr.
    @Test("the original's blend equals numpy's to the last bit")
    func matchesNumpy() throws {
        let blended = try blend([a, b, c], weights: [0.15, 0.5, 0.35], clip: nil)
        #expect(blended.values == [0.5983333333333333, 0.09820987615, 0.2991666666666667, 0.51385, 0.07500005, 0.9395])
    }

    /// Expected values by Python 3.11: exp of the weighted logarithms, and the logistic of the weighted logits.
    @Test("geometric and logit means are those of the formulas, within the range of their inputs, 0 and 1 included")
    func otherMeans() throws {
        let geometric = try blend([a, b], weights: [0.25, 0.75], mean: .geometric, clip: nil).values
        let logit = try blend([a, b], weights: [0.25, 0.75], mean: .logit, clip: nil).values
        let expectedGeometric = [
            0.43035170706588505, 0.07071067811865477, 0.32466791547509893, 0.7348469228349535, 4.728708045015879e-06,
            0.8794515704459243,
        ]
        let expectedLogit = [
            0.5215284939990182, 0.07209779892943358, 0.3248251075173221, 0.8244151980555311, 5.6233820510559995e-06,
            0.9949405860227363,
        ]
        for row in 0..<6 {
            #expect(abs(geometric[row] - expectedGeometric[row]) < 1e-14)
            #expect(abs(logit[row] - expectedLogit[row]) < 1e-14)
        }
        for mean in BlendMean.allCases where mean != .rank {
            for count in [1, 3, 7] {
                let same = try blend(
                    Array(repeating: c, count: count), weights: equalWeights(count), mean: mean, clip: nil)
                #expect(same == c, "\(mean)")
            }
        }
    }

    /// scipy.stats.rankdata([.3, .1, .3, .9]) / 4 = .625, .25, .625, 1; of [.4, .2, .1, .3]: 1, .5, .25, .75.
    @Test("the rank mean averages mean ranks as shares of the number of slices")
    func rankMean() throws {
        func table(_ any: [Double]) -> PredictionTable {
            PredictionTable(
                sliceIDs: ["ID_a", "ID_b", "ID_c", "ID_d"],
                values: any.flatMap { Array(repeating: 0.5, count: 5) + [$0] })
        }
        let mean = try blend(
            [table([0.3, 0.1, 0.3, 0.9]), table([0.4, 0.2, 0.1, 0.3])], weights: [0.5, 0.5], mean: .rank, clip: nil)
        #expect([5, 11, 17, 23].map { mean.values[$0] } == [0.8125, 0.375, 0.4375, 0.875])
        #expect(mean.values[0] == 0.625)
    }

    @Test("tables are matched by ID, the result has the order of the first, and the order of rows changes no value")
    func matchesByID() throws {
        let first = Tables.table(slices: 30, seed: 1)
        let second = Tables.table(slices: 30, seed: 2)
        let expected = try blend([first, second], weights: [0.25, 0.75], clip: nil)
        #expect(expected.sliceIDs == first.sliceIDs)
        #expect(zip(expected.values, zip(first.values, second.values)).allSatisfy { $0 == 0.25 * $1.0 + 0.75 * $1.1 })
        let reversed = PredictionTable(
            sliceIDs: second.sliceIDs.reversed(), values: try second.values(for: second.sliceIDs.reversed(), name: ""))
        #expect(try blend([first, reversed], weights: [0.25, 0.75], clip: nil) == expected)
    }

    @Test("a blend of equal tables is that table, whatever the weights round to")
    func idempotent() throws {
        let table = Tables.table(slices: 30, seed: 3)
        for count in 1...12 {
            let blended = try blend(Array(repeating: table, count: count), weights: equalWeights(count), clip: nil)
            #expect(blended == table)
        }
    }

    @Test("a clip holds every value in [clip, 1 - clip], and a weight of 0 takes its table out")
    func clips() throws {
        let blended = try blend([a, c], weights: [0, 1], clip: 1e-6)
        #expect(blended.values == [2.0 / 3, 0.123456789, 0.25, 0.011, 1e-6, 1 - 1e-6])
    }

    private func message(_ tables: [PredictionTable], _ weights: [Double], clip: Double? = nil) -> String {
        do throws(TableError) {
            _ = try blend(tables, weights: weights, clip: clip, names: tables.indices.map { "f\($0).csv" })
            return ""
        } catch { return error.description }
    }

    @Test("weights that do not sum to 1 are refused with the ones that would")
    func refusesWeights() {
        #expect(
            message([a, b], [1, 3]) == "blend: the weights sum to 4, not to 1; the same proportions are 0.25,0.75")
        #expect(message([a, b], [0, 0]) == "blend: the weights sum to 0, not to 1")
        #expect(message([a, b], [0.5]) == "blend: 1 weights for 2 tables; each table needs exactly one")
        #expect(message([a, b], [1.5, -0.5]).contains("negative"))
        #expect(message([a, b], [.nan, 1]).contains("not finite"))
        #expect(message([a], [1], clip: 0.5).contains("clip"))
        #expect(message([], []).contains("sum to 0"))
    }

    @Test("tables over other slices are refused, naming the table and the slices on either side")
    func refusesOtherSlices() {
        let longer = PredictionTable(sliceIDs: ["ID_a", "ID_z"], values: a.values + a.values)
        #expect(message([longer, a], [0.5, 0.5]) == "f1.csv: 1 slice has no prediction: ID_z")
        #expect(message([a, longer], [0.5, 0.5]).hasPrefix("f1.csv: 1 slice is not in f0.csv: ID_z."))
    }

    @Test("slices without a prediction get the smallest predicted value, then everything is clipped")
    func originalFillRule() throws {
        let sample = PredictionTable(sliceIDs: ["ID_c", "ID_a", "ID_b"], values: Array(repeating: 0.5, count: 18))
        let predictions = PredictionTable(
            sliceIDs: ["ID_a", "ID_b", "ID_other"],
            values: [0.1, 0.2, 0.3, 0.4, 0.5, 1] + [0.9, 0.03, 0.9, 0.9, 0.9, 0.9] + Array(repeating: 0.001, count: 6))
        let (table, filled) = try submission(filling: sample, with: predictions, clip: 1e-6)
        #expect(filled == 1)
        #expect(table.sliceIDs == sample.sliceIDs)
        // ID_other is not in the sample, so its 0.001 is not the minimum.
        #expect(
            table.values == Array(repeating: 0.03, count: 6) + [0.1, 0.2, 0.3, 0.4, 0.5, 1 - 1e-6] + [
                0.9, 0.03, 0.9, 0.9, 0.9, 0.9,
            ])

        let zero = PredictionTable(sliceIDs: ["ID_a"], values: [0, 0.2, 0.3, 0.4, 0.5, 1])
        #expect(
            try submission(filling: sample, with: zero, clip: 1e-6).table.values.prefix(6).allSatisfy { $0 == 1e-6 })
        #expect(try submission(filling: sample, with: zero, clip: 1e-6).filledSlices == 2)
    }

    @Test("a sample of which no slice has a prediction is refused")
    func nothingToFillWith() {
        let sample = PredictionTable(sliceIDs: ["ID_x"], values: Array(repeating: 0.5, count: 6))
        #expect(throws: TableError.self) { try submission(filling: sample, with: a, clip: 1e-6) }
        #expect(throws: TableError.self) { try submission(filling: sample, with: sample, clip: -1) }
    }
}
