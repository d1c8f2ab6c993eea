import ArgumentParser
import Basics
import Inputs
import Submit

/// What the values of prediction files are, and how they are read by every command that takes them for probabilities.
struct PredictionOptions: ParsableArguments {
    @Flag(help: "The predictions are logits: each stands for the probability 1 / (1 + exp(-x)).")
    var logits = false

    /// Reads predictions as probabilities, and says if some had to be held in the range.
    func read(_ path: String, order: SliceIndex? = nil) throws -> PredictionTable {
        let name = InputBytes.name(path)
        let bytes = try InputBytes.read(path)
        let found = try ProbabilityTable(parsing: bytes, name: name, order: order, areLogits: logits)
        if seemsCutOff(bytes) {
            Console.log(
                "\(name): the last line has no end, and its number fewer digits than any other: is the file cut off there?"
            )
        }
        if found.clipped > 0 {
            let values = found.clipped == 1 ? "value is" : "values are"
            Console.log(
                "\(name): \(found.clipped) \(values) beyond 0 or 1 by rounding (at most \(ProbabilityTable.rounding)) and held there."
            )
        }
        return found.table
    }
}
