import Metrics
import Nets

/// Everything that decides a run's results besides its input files: a recipe is what two people must share to get the same bits.
///
/// Read from YAML by ``Recipe/init(yaml:name:)``; `docs/recipes.md` describes the keys.
public struct Recipe: Sendable, Codable, Equatable {
    /// A synthetic competition to write before anything else.
    public struct DemoData: Sendable, Codable, Equatable {
        /// How many synthetic patients there are.
        public var patients: Int
        /// Rows and columns of a slice, in pixels.
        public var size: Int
        /// What all draws of the run start from.
        public var seed: UInt64
    }

    /// How patients are dealt to folds.
    public struct Folds: Sendable, Codable, Equatable {
        /// How many folds there are.
        public var count: Int
        /// Seed of Python's generator in the original's `make_folds`.
        public var seed: UInt64
    }

    /// How slices are read.
    public struct CatalogRules: Sendable, Codable, Equatable {
        /// Whether 12-bit pixels that wrapped around are put right before use.
        public var repairWrappedPixels: Bool
    }

    /// Lower bounds that probabilities are clipped to (upper: one minus it).
    public struct Clip: Sendable, Codable, Equatable {
        /// Of what is scored.
        public var score: Double
        /// Of what a submission file has.
        public var submission: Double
    }

    /// How one fold of one backbone is trained.
    public struct FoldTraining: Sendable, Codable, Equatable {
        /// Passes over the training slices.
        public var epochs: Int
        /// Slices a step.
        public var batch: Int
        /// Adam's, before the first milestone.
        public var learningRate: Double
        /// Epochs, counted from 0, at whose start the learning rate is multiplied by `gamma`.
        public var milestones: [Int]
        /// Factor of the learning rate at each milestone.
        public var gamma: Double
        /// The epoch, counted from 0, whose weights predict.
        public var snapshot: Int
    }

    /// How one backbone is trained.
    public struct BackboneTraining: Sendable, Codable, Equatable {
        /// Which network.
        public var backbone: Backbone
        /// File name of the ImageNet weights to start from; nil starts from random weights.
        public var pretrained: String?
        /// Replaces the backbone's own batch-norm momentum (PyTorch's sense).
        public var batchNormMomentum: Double?
        /// One entry a fold.
        public var folds: [FoldTraining]
    }

    /// A weighted average over the backbones, each the mean of its folds.
    public struct Blend: Sendable, Codable, Equatable {
        /// A backbone and its share.
        public struct Part: Sendable, Codable, Equatable {
            /// Which network.
            public var backbone: Backbone
            /// What its probabilities are multiplied by; a recipe's weights sum to 1.
            public var weight: Double
        }
        /// What files, stages and messages call it.
        public var name: String
        /// The backbones that are averaged.
        public var parts: [Part]
    }

    /// What files, stages and messages call it.
    public var name: String
    /// One line for people.
    public var summary: String
    /// What all draws of the run start from.
    public var seed: UInt64
    /// Parts of a batch that are summed apart and combined by a fixed tree (`docs/numerics.md`).
    public var grains: Int
    /// Rows and columns of the network's input, in pixels.
    public var imageSize: Int
    /// Set for recipes that make their own data.
    public var demoData: DemoData?
    /// Folds, and the seed that deals them.
    public var folds: Folds
    /// How slices are read.
    public var catalog: CatalogRules
    /// The three channels of the network's input.
    public var windows: [Window]
    /// Random geometry, drawn anew for every slice, epoch and test-time draw.
    public var augmentation: Augmentation
    /// Weight of each type in the loss, in the order of `HemorrhageType.allCases`.
    public var lossWeights: [Double]
    /// Random views whose probabilities are averaged for a prediction.
    public var testTimeDraws: Int
    /// Bounds of probabilities.
    public var clip: Clip
    /// The networks, in the order in which they are trained.
    public var backbones: [BackboneTraining]
    /// The first one is the run's submission.
    public var blends: [Blend]

    package func training(of backbone: Backbone) -> BackboneTraining? { backbones.first { $0.backbone == backbone } }
}
