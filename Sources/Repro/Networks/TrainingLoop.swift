import Foundation

/// Takes a training from wherever it is to the end of its last epoch, leaving checkpoints on the way.
///
/// How a step is done is the caller's affair; that makes the order of steps, files and deaths testable without a network.
package struct TrainingLoop {
    package let stepsPerEpoch: Int
    /// The training ends after this epoch, counted from 0: its weights predict, and later ones could not change them.
    package let lastEpoch: Int
    /// Seconds between checkpoints inside an epoch; at an epoch's end, a tenth of it is enough.
    package let checkpointInterval: Double
    package let clock: @Sendable () -> Double

    package var totalSteps: Int { stepsPerEpoch * (lastEpoch + 1) }

    /// - Parameters:
    ///   - stepsDone: how many steps the training has behind it.
    ///   - step: does one optimisation step.
    ///   - snapshot: the training's whole state as a file's bytes.
    ///   - report: is told the steps done after each one.
    package func run(
        from stepsDone: Int, checkpoints: inout CheckpointFolder, step: () throws -> Void,
        snapshot: () throws -> Data, report: (Int) -> Void
    ) throws {
        var lastSaved = clock()
        for done in stride(from: stepsDone + 1, through: totalSteps, by: 1) {
            try step()
            report(done)
            let endsEpoch = done % stepsPerEpoch == 0
            // An epoch's end is a good place to go on from, but one of seconds is not worth hundreds of megabytes.
            let patience = endsEpoch ? checkpointInterval / 10 : checkpointInterval
            guard done == totalSteps || clock() - lastSaved >= patience else { continue }
            let name = endsEpoch ? CheckpointFolder.name(epoch: done / stepsPerEpoch - 1) : "step\(done).safetensors"
            try checkpoints.save(try snapshot(), name: name, steps: done)
            lastSaved = clock()
        }
        try checkpoints.keepOnly(CheckpointFolder.name(epoch: lastEpoch))
    }
}
