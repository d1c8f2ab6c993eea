import Metrics
import Nets

/// Everything that decides a run's results besides its input files: a recipe is what two people must share to get the same bits.
///
/// Read from YAML by ``Recipe/init(yaml:name:)``; `docs/recipes.md` describes the keys.
struct Recipe: Sendable, Codable, Equatable {
    /// A synthetic competition to write before anything else.
    struct DemoData: Sendable, Codable, Equatable {
        var patients: Int
        /// Rows and columns of a slice, in pixels.
        var size: Int
        var seed: UInt64
    }

    struct Folds: Sendable, Codable, Equatable {
        var count: Int
        /// Seed of Python's generator in the original's `make_folds`.
        var seed: UInt64
    }

    /// How slices are read.
    struct CatalogRules: Sendable, Codable, Equatable {
        /// Whether 12-bit pixels that wrapped around are put right before use.
        var repairWrappedPixels: Bool
    }

    /// Lower bounds that probabilities are clipped to (upper: one minus it).
    struct Clip: Sendable, Codable, Equatable {
        var score: Double
        var submission: Double
    }

    /// How one fold of one backbone is trained.
    struct FoldTraining: Sendable, Codable, Equatable {
        var epochs: Int
        var batch: Int
        var learningRate: Double
        /// Epochs, counted from 0, at whose start the learning rate is multiplied by `gamma`.
        var milestones: [Int]
        var gamma: Double
        /// The epoch, counted from 0, whose weights predict.
        var snapshot: Int
    }

    struct BackboneTraining: Sendable, Codable, Equatable {
        var backbone: Backbone
        /// File name of the ImageNet weights to start from; nil starts from random weights.
        var pretrained: String?
        /// Replaces the backbone's own batch-norm momentum (PyTorch's sense).
        var batchNormMomentum: Double?
        /// One entry a fold.
        var folds: [FoldTraining]
    }

    /// A weighted average over the backbones, each the mean of its folds.
    struct Blend: Sendable, Codable, Equatable {
        struct Part: Sendable, Codable, Equatable {
            var backbone: Backbone
            var weight: Double
        }
        var name: String
        var parts: [Part]
    }

    var name: String
    var summary: String
    var seed: UInt64
    /// Parts of a batch that are summed apart and combined by a fixed tree (`docs/numerics.md`).
    var grains: Int
    /// Rows and columns of the network's input, in pixels.
    var imageSize: Int
    var demoData: DemoData?
    var folds: Folds
    var catalog: CatalogRules
    /// The three channels of the network's input.
    var windows: [Window]
    /// Random geometry, drawn anew for every slice, epoch and test-time draw.
    var augmentation: Augmentation
    /// Weight of each type in the loss, in the order of `HemorrhageType.allCases`.
    var lossWeights: [Double]
    var testTimeDraws: Int
    var clip: Clip
    var backbones: [BackboneTraining]
    /// The first one is the run's submission.
    var blends: [Blend]

    func training(of backbone: Backbone) -> BackboneTraining? { backbones.first { $0.backbone == backbone } }
}
