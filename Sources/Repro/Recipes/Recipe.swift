import Metrics
import Nets

/// Everything that decides a run's results besides its input files: a recipe is what two people must share to get the same bits.
///
/// Read from YAML by ``Recipe/init(yaml:name:)``; `docs/recipes.md` describes the keys.
package struct Recipe: Sendable, Codable, Equatable {
    /// A synthetic competition to write before anything else.
    package struct DemoData: Sendable, Codable, Equatable {
        package var patients: Int
        /// Rows and columns of a slice, in pixels.
        package var size: Int
        package var seed: UInt64
    }

    package struct Folds: Sendable, Codable, Equatable {
        package var count: Int
        /// Seed of Python's generator in the original's `make_folds`.
        package var seed: UInt64
    }

    /// How slices are read.
    package struct CatalogRules: Sendable, Codable, Equatable {
        /// Whether 12-bit pixels that wrapped around are put right before use.
        package var repairWrappedPixels: Bool
    }

    /// Lower bounds that probabilities are clipped to (upper: one minus it).
    package struct Clip: Sendable, Codable, Equatable {
        package var score: Double
        package var submission: Double
    }

    /// How one fold of one backbone is trained.
    package struct FoldTraining: Sendable, Codable, Equatable {
        package var epochs: Int
        package var batch: Int
        package var learningRate: Double
        /// Epochs, counted from 0, at whose start the learning rate is multiplied by `gamma`.
        package var milestones: [Int]
        package var gamma: Double
        /// The epoch, counted from 0, whose weights predict.
        package var snapshot: Int
    }

    package struct BackboneTraining: Sendable, Codable, Equatable {
        package var backbone: Backbone
        /// File name of the ImageNet weights to start from; nil starts from random weights.
        package var pretrained: String?
        /// Replaces the backbone's own batch-norm momentum (PyTorch's sense).
        package var batchNormMomentum: Double?
        /// One entry a fold.
        package var folds: [FoldTraining]
    }

    /// A weighted average over the backbones, each the mean of its folds.
    package struct Blend: Sendable, Codable, Equatable {
        package struct Part: Sendable, Codable, Equatable {
            package var backbone: Backbone
            package var weight: Double
        }
        package var name: String
        package var parts: [Part]
    }

    package var name: String
    package var summary: String
    package var seed: UInt64
    /// Parts of a batch that are summed apart and combined by a fixed tree (`docs/numerics.md`).
    package var grains: Int
    /// Rows and columns of the network's input, in pixels.
    package var imageSize: Int
    package var demoData: DemoData?
    package var folds: Folds
    package var catalog: CatalogRules
    /// The three channels of the network's input.
    package var windows: [Window]
    /// Random geometry, drawn anew for every slice, epoch and test-time draw.
    package var augmentation: Augmentation
    /// Weight of each type in the loss, in the order of `HemorrhageType.allCases`.
    package var lossWeights: [Double]
    package var testTimeDraws: Int
    package var clip: Clip
    package var backbones: [BackboneTraining]
    /// The first one is the run's submission.
    package var blends: [Blend]

    package func training(of backbone: Backbone) -> BackboneTraining? { backbones.first { $0.backbone == backbone } }
}
