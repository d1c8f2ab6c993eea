// ScoreFile PREDICTIONS TRUTH: the competition's score of a prediction file, as `repro score` prints it.
import Foundation
import Metrics
import Submit

guard CommandLine.arguments.count == 3 else {
    print("usage: ScoreFile PREDICTIONS TRUTH")
    exit(64)
}
let (predictionPath, truthPath) = (CommandLine.arguments[1], CommandLine.arguments[2])
let predictions = try PredictionTable(
    parsing: Data(contentsOf: URL(fileURLWithPath: predictionPath)), name: predictionPath)
let truth = try TruthTable(parsing: Data(contentsOf: URL(fileURLWithPath: truthPath)), name: truthPath)

let score = try weightedLogLoss(
    predictions: predictions.values(for: truth.sliceIDs, name: predictionPath), truth: truth.labels)
for (type, loss) in zip(HemorrhageType.allCases, score.perType) { print(type.rawValue, loss) }
print("overall", score.overall)
