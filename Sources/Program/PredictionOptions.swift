import ArgumentParser
import Basics
import Foundation
import Inputs
import Submit

/// How the values of prediction files are meant, for every command that computes with them.
struct PredictionOptions: ParsableArguments {
    @Flag(help: "The predictions are logits x: their probabilities are 1 / (1 + exp(-x)).")
    var logits = false

    /// The probabilities of a table that was read; how many of them rounding had put outside 0...1 is said on stderr.
    ///
    /// - Throws: ``Failure`` with status `badInput` if they are none.
    func probabilities(of table: PredictionTable, name: String) throws -> PredictionTable {
        let (held, clipped) = try table.probabilities(areLogits: logits, name: name)
        if clipped > 0 { Console.log("\(name): \(clipped) values up to 1e-6 outside 0 to 1 are held in it") }
        return held
    }
}
