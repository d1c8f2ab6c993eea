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
    ///   - log: the losses of the steps that the training has behind it.
    ///   - step: does one optimisation step and gives its loss.
    ///   - snapshot: the training's whole state as a file's bytes.
    ///   - report: is told the losses of all steps after each one.
    package func run(
        after log: LossLog, checkpoints: inout CheckpointFolder, step: () throws -> Double,
        snapshot: () throws -> Data, report: (LossLog) -> Void
    ) throws {
        var (log, lastSaved) = (log, clock())
        for done in stride(from: log.losses.count + 1, through: totalSteps, by: 1) {
            log.losses.append(try step())
            report(log)
            let endsEpoch = done % stepsPerEpoch == 0
            // An epoch's end is a good place to go on from, but one of seconds is not worth hundreds of megabytes.
            let patience = endsEpoch ? checkpointInterval / 10 : checkpointInterval
            guard done == totalSteps || clock() - lastSaved >= patience else { continue }
            let name = endsEpoch ? WorkFolder.checkpoint(epoch: done / stepsPerEpoch - 1) : "step\(done).safetensors"
            try checkpoints.save(try snapshot(), name: name, log: log)
            lastSaved = clock()
        }
        try checkpoints.finish(WorkFolder.checkpoint(epoch: lastEpoch), log: log)
    }
}
