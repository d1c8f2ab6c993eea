// PredictSlice SLICE WEIGHTS SIZE: what a trained resnet34 sees in one CT slice, without augmentation.
// The same numbers as `repro predict --backbone resnet34 --weights WEIGHTS --input FOLDER --size SIZE --no-augment`.
import Foundation
import Inputs
import Metrics
import Nets
import Repro

guard CommandLine.arguments.count == 4, let size = Int(CommandLine.arguments[3]) else {
    print("usage: PredictSlice SLICE WEIGHTS SIZE")
    exit(64)
}
let image = HounsfieldImage(try readImage(at: CommandLine.arguments[1]), repairingWrap: false)
let weights = try WeightsFile.read(CommandLine.arguments[2], .init(.resnet34))

let predictor = try Predictor(
    settings: .init(
        backbone: .resnet34, imageSize: size, windows: weights.training?.windows ?? Window.original, augmentation: nil,
        seed: 0, batchSize: 1),
    weights: weights.tensors, pool: ThreadPool(threads: 2))
let probabilities = NetworkOrder.fileOrder(try predictor.predict(["slice"]) { _ in image })
for (type, probability) in zip(HemorrhageType.allCases, probabilities) { print(type.rawValue, probability) }
