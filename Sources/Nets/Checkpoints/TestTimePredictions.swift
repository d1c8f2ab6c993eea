import Foundation

/// The predictions that the original solution pickles: a list with, for each test-time draw, a dict of `ids`, `targets` and `outputs`.
///
/// Read without running any Python, like a checkpoint; of a draw, `ids` (a list of texts) and `outputs` (a NumPy array of one row of
/// six probabilities a slice) count, and everything else is passed over.
public struct TestTimePredictions: Sendable, Equatable {
    /// The slices in the file's order; each occurs once.
    public let sliceIDs: [String]
    /// How many draws the file has.
    public let draws: Int
    /// The mean over the draws, in double: `sliceIDs.count` x 6, row-major, in the order of the network's outputs.
    public let outputs: [Double]

    /// Reads a whole file's bytes.
    ///
    /// - Throws: ``CheckpointError``: `refused` for a pickle that asks for anything but lists, dicts, texts, numbers and arrays,
    ///   `truncated`, `malformed` and `unsupported` as their names say.
    public init(parsing bytes: some ContiguousBytes) throws(CheckpointError) {
        self = try bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in try TestTimePredictions(pickle: raw) }
        }.get()
    }

    private init(pickle raw: UnsafeRawBufferPointer) throws(CheckpointError) {
        guard let first = raw.first else { throw CheckpointError(.truncated, at: "byte 0", "the file is empty") }
        guard first == 0x80 else {
            throw CheckpointError(.unsupported, at: "byte 0", "a pickle of protocol 2 or 3 expected, this is none")
        }
        var machine = PickleMachine()
        var reader = CheckpointReader(raw, of: "the file")
        let root = try machine.run(&reader)
        guard reader.remaining == 0 else {
            throw CheckpointError(.malformed, at: reader.place(), "\(reader.remaining) bytes follow the pickle's end")
        }
        guard case .sequence(let number) = root, case let list = machine.heap.sequences[number], !list.isEmpty else {
            throw CheckpointError(
                .unsupported, at: "the pickle", "a list expected with a dict of ids and outputs for each test-time draw"
            )
        }
        var (ids, sums) = ([String](), [Double]())
        // Draws may share one array, so a small file could ask for any amount of work.
        var budget = raw.count
        for (index, value) in list.enumerated() {
            let draw = try Draw(value, heap: machine.heap, place: "draw \(index) of \(list.count)", budget: &budget)
            if index == 0 {
                (ids, sums) = (draw.ids, draw.outputs)
                continue
            }
            guard draw.ids == ids else {
                throw CheckpointError(
                    .malformed, at: draw.place, "its slices are not those of the first draw in the same order")
            }
            for place in sums.indices { sums[place] += draw.outputs[place] }
        }
        (sliceIDs, draws, outputs) = (ids, list.count, sums.map { $0 / Double(list.count) })
    }
}

/// One draw, checked.
private struct Draw {
    let place: String
    let ids: [String]
    let outputs: [Double]

    init(_ value: PickleValue, heap: PickleHeap, place: String, budget: inout Int) throws(CheckpointError) {
        self.place = place
        guard case .dictionary(let number) = value else {
            throw CheckpointError(.unsupported, at: place, "a dict with ids and outputs expected")
        }
        func entry(_ name: String) throws(CheckpointError) -> PickleValue {
            let entries = heap.dictionaries[number].compactMap { pair in
                if case .text(name) = pair.key { pair.value } else { nil }
            }
            if entries.count == 1 { return entries[0] }
            throw CheckpointError(
                .unsupported, at: place, "one entry '\(name)' expected, it has \(entries.count)")
        }
        guard case .sequence(let list) = try entry("ids") else {
            throw CheckpointError(.unsupported, at: place, "a list of slices' IDs expected as its 'ids'")
        }
        ids = heap.sequences[list].compactMap { if case .text(let id) = $0 { id } else { nil } }
        guard ids.count == heap.sequences[list].count else {
            throw CheckpointError(.unsupported, at: place, "its 'ids' are not all texts")
        }
        guard Set(ids).count == ids.count else {
            throw CheckpointError(.malformed, at: place, "a slice comes twice among its 'ids'")
        }
        guard case .array(let index) = try entry("outputs"), let array = heap.arrays[index],
            array.shape == [ids.count, Backbone.outputs]
        else {
            throw CheckpointError(
                .unsupported, at: place,
                "a NumPy array of \(ids.count) x \(Backbone.outputs) expected as its 'outputs', a row for each of its 'ids'"
            )
        }
        budget -= array.bytes.count
        guard budget >= 0 else {
            throw CheckpointError(.refused, at: place, "its draws have more numbers than the file has room for")
        }
        outputs = array.reals()
        guard let wrong = outputs.firstIndex(where: { !(0...1).contains($0) }) else { return }
        throw CheckpointError(
            .unsupported, at: place,
            "probabilities between 0 and 1 expected as its 'outputs', slice \(ids[wrong / Backbone.outputs]) has \(outputs[wrong])"
        )
    }
}
