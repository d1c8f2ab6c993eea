import ArgumentParser
import Basics
import Foundation
import Inputs
import Nets
import Repro
import Submit

struct ImportPredictionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-predictions",
        abstract: "Turn a pickle of the original solution's predictions into a table (ID,Label).",
        discussion: """
            The original writes, for each fold, a list with a dict of ids, targets and outputs for each test-time draw. The table has \
            the mean over the draws. The pickle is read, never run: one that asks for anything else is refused.

            repro import-predictions fold0_ep2_test_tta5.pkl --out fold0.csv
            """)

    @Argument(help: ArgumentHelp("The pickle.", valueName: "file"), completion: .file())
    var pickle: String

    @Option(help: ArgumentHelp("Where the table goes; - for standard output.", valueName: "csv"), completion: .file())
    var out: String

    @OptionGroup var output: OutputOptions

    @Flag(help: "Print JSON for machines.")
    var json = false

    private struct Result: Encodable {
        let out: String
        let slices: Int
        let draws: Int
        let contentHash: String
    }

    func run() throws {
        let out = try output.destination(out, .predictions, inputs: [pickle], json: json)
        let predictions: TestTimePredictions
        do {
            let bytes = try InputBytes.read(pickle)
            if let impostor = Impostor.found(in: bytes) {
                throw Failure(.badInput, "\(InputBytes.name(pickle)): \(impostor)")
            }
            predictions = try TestTimePredictions(parsing: bytes)
        } catch let error as CheckpointError {
            throw Failure(.badInput, "\(InputBytes.name(pickle)): \(error)")
        }
        if let id = predictions.sliceIDs.first(where: { !PredictionTable.isSliceID($0) }) {
            throw Failure(
                .badInput,
                "\(InputBytes.name(pickle)): '\(id)' cannot be a slice's ID in a table; expected letters, digits, '_', '-' and '.' only."
            )
        }
        let table = PredictionTable(
            sliceIDs: predictions.sliceIDs, values: NetworkOrder.fileOrder(predictions.outputs))
        try out.write(table.csv())
        if out.isStandardOutput { return }
        let result = Result(
            out: out.path, slices: table.sliceIDs.count, draws: predictions.draws, contentHash: table.contentHash())
        if json { return Console.result(try JSON.encode(result)) }
        Console.result(
            "\(out.path): \(Numbers.count(result.slices)) slices, mean of \(result.draws) draws\ncontent \(result.contentHash)"
        )
    }
}
