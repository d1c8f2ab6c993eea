import Metrics
import Nets

extension Recipe {
    /// Reads a recipe from YAML, strictly: an unknown or missing key, a wrong type or a value out of range is an error.
    ///
    /// - Throws: ``Failure`` with status `badInput` whose message begins with `name:line:column`.
    package init(yaml text: String, name: String) throws {
        self = try Self.read(YAMLValue(document: text, file: name))
    }

    private static func read(_ root: YAMLValue) throws -> Recipe {
        let top = try root.object(
            "name", "summary", "seed", "grains", "image_size", "demo_data", "folds", "catalog", "windows",
            "augmentation",
            "loss_weights", "test_time_draws", "clip", "backbones", "blends")
        let folds = try readFolds(top.require("folds"))
        let demo = try top.allow("demo_data").map(readDemoData)
        if let demo, demo.patients < folds.count {
            throw try top.require("folds").failure(
                "\(folds.count) folds are more than the \(demo.patients) patients of demo_data.")
        }
        let backbones = try top.require("backbones").entries().map { try readBackbone($0, folds: folds.count) }
        guard !backbones.isEmpty else { throw try top.require("backbones").failure("at least one backbone is needed.") }
        return Recipe(
            name: try readName(top.require("name")), summary: try top.require("summary").string(),
            seed: try top.require("seed").integer(in: 0...UInt64.max),
            grains: try top.require("grains").integer(in: 1...64),
            imageSize: try top.require("image_size").integer(in: 32...2048),
            demoData: demo, folds: folds,
            catalog: try readCatalog(top.require("catalog")), windows: try readWindows(top.require("windows")),
            augmentation: try readAugmentation(top.require("augmentation")),
            lossWeights: try readLossWeights(top.require("loss_weights")),
            testTimeDraws: try top.require("test_time_draws").integer(in: 1...100),
            clip: try readClip(top.require("clip")), backbones: backbones,
            blends: try readBlends(top.require("blends"), backbones: backbones.map(\.backbone)))
    }

    /// A name becomes part of file names.
    private static func readName(_ value: YAMLValue) throws -> String {
        let name = try value.string()
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard allowed else { throw value.failure("only letters, digits, '-' and '_' are allowed, found '\(name)'.") }
        return name
    }

    private static func readDemoData(_ value: YAMLValue) throws -> DemoData {
        let object = try value.object("patients", "size", "seed")
        return DemoData(
            patients: try object.require("patients").integer(in: 10...10_000),
            size: try object.require("size").integer(in: 32...512),
            seed: try object.require("seed").integer(in: 0...UInt64.max))
    }

    private static func readFolds(_ value: YAMLValue) throws -> Folds {
        let object = try value.object("count", "seed")
        // Python's seed is made of 32-bit words; one is all that the original uses.
        return Folds(
            count: try object.require("count").integer(in: 2...100),
            seed: try object.require("seed").integer(in: 0...UInt64(UInt32.max)))
    }

    private static func readCatalog(_ value: YAMLValue) throws -> CatalogRules {
        CatalogRules(
            repairWrappedPixels: try value.object("repair_wrapped_pixels").require("repair_wrapped_pixels").bool())
    }

    private static func readWindows(_ value: YAMLValue) throws -> [Window] {
        let windows = try value.list().map { item in
            let object = try item.object("center", "width")
            return Window(
                center: Float(try object.require("center").number(in: -4096...4096)),
                // Half of a narrower one rounds down to nothing.
                width: Float(try object.require("width").number(in: 2...8192)))
        }
        guard windows.count == 3 else {
            throw value.failure("expected 3 windows, one a channel of the network, found \(windows.count).")
        }
        return windows
    }

    private static func readAugmentation(_ value: YAMLValue) throws -> Augmentation {
        let object = try value.object(
            "crop_scale", "crop_ratio", "flip_probability", "rotate_degrees", "rotate_probability")
        var augmentation = Augmentation()
        augmentation.scale = try readRange(object.require("crop_scale"), in: 0.01...1)
        augmentation.aspectRatio = try readRange(object.require("crop_ratio"), in: 0.1...10)
        augmentation.flipProbability = try object.require("flip_probability").number(in: 0...1)
        augmentation.rotationDegrees = try object.require("rotate_degrees").number(in: 0...180)
        augmentation.rotationProbability = try object.require("rotate_probability").number(in: 0...1)
        return augmentation
    }

    private static func readRange(_ value: YAMLValue, in limits: ClosedRange<Double>) throws -> ClosedRange<Double> {
        let bounds = try value.list().map { try $0.number(in: limits) }
        guard bounds.count == 2, bounds[0] <= bounds[1] else { throw value.failure("expected [lowest, highest].") }
        return bounds[0]...bounds[1]
    }

    private static func readLossWeights(_ value: YAMLValue) throws -> [Double] {
        let object = try value.object(
            "any", "epidural", "subdural", "subarachnoid", "intraventricular", "intraparenchymal")
        let weights = try HemorrhageType.allCases.map { try object.require($0.rawValue).number(in: 0...1000) }
        guard weights.contains(where: { $0 >= 1e-6 }) else {
            throw value.failure("at least one weight has to be 1e-6 or more: there is nothing to learn without.")
        }
        return weights
    }

    private static func readClip(_ value: YAMLValue) throws -> Clip {
        let object = try value.object("score", "submission")
        return Clip(
            // The logarithm of 0 is no score.
            score: try object.require("score").number(in: kaggleClip...0.1),
            submission: try object.require("submission").number(in: 0...0.1))
    }

    private static func readBackbone(
        _ entry: (key: YAMLValue, value: YAMLValue), folds count: Int
    ) throws -> BackboneTraining {
        let object = try entry.value.object("pretrained", "batch_norm_momentum", "folds")
        let folds = try object.require("folds")
        let settings = try folds.list().map(readTraining)
        guard settings.count == count else {
            throw folds.failure("expected \(count) entries, one a fold, found \(settings.count).")
        }
        return BackboneTraining(
            backbone: try entry.key.choice(Backbone.self), pretrained: try object.allow("pretrained")?.string(),
            batchNormMomentum: try object.allow("batch_norm_momentum")?.number(in: 0.0001...1), folds: settings)
    }

    private static func readTraining(_ value: YAMLValue) throws -> FoldTraining {
        let object = try value.object("epochs", "batch", "learning_rate", "milestones", "gamma", "snapshot")
        let milestones = try object.require("milestones")
        let training = FoldTraining(
            epochs: try object.require("epochs").integer(in: 1...1000),
            batch: try object.require("batch").integer(in: 2...4096),
            learningRate: try object.require("learning_rate").number(in: 1e-9...10),
            milestones: try milestones.list().map { try $0.integer(in: 1...1000) },
            gamma: try object.require("gamma").number(in: 1e-6...1),
            snapshot: try object.require("snapshot").integer(in: 0...999))
        guard zip(training.milestones, training.milestones.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw milestones.failure("expected epochs in ascending order.")
        }
        guard training.snapshot < training.epochs else {
            throw try object.require("snapshot").failure(
                "expected one of the \(training.epochs) epochs 0 to \(training.epochs - 1), found \(training.snapshot)."
            )
        }
        return training
    }

    private static func readBlends(_ value: YAMLValue, backbones: [Backbone]) throws -> [Blend] {
        var blends: [Blend] = []
        for item in try value.list() {
            let object = try item.object("name", "weights")
            let name = try object.require("name")
            let weights = try object.require("weights")
            let blend = Blend(
                name: try readName(name), parts: try weights.entries().map { try readPart($0, of: backbones) })
            guard Backbone(rawValue: blend.name) == nil else {
                throw name.failure("'\(blend.name)' is the name of a backbone, which has lines of its own.")
            }
            guard !blends.contains(where: { $0.name == blend.name }) else {
                throw name.failure("'\(blend.name)' is the name of an earlier blend.")
            }
            let sum = blend.parts.reduce(0) { $0 + $1.weight }
            guard (sum - 1).magnitude < 1e-9 else {
                throw weights.failure("expected weights that add up to 1, found \(sum).")
            }
            blends.append(blend)
        }
        guard !blends.isEmpty else { throw value.failure("at least one blend is needed.") }
        return blends
    }

    private static func readPart(
        _ entry: (key: YAMLValue, value: YAMLValue), of backbones: [Backbone]
    ) throws -> Blend.Part {
        let backbone = try entry.key.choice(Backbone.self)
        guard backbones.contains(backbone) else { throw entry.key.failure("this recipe does not train it.") }
        return Blend.Part(backbone: backbone, weight: try entry.value.number(in: 0...1))
    }
}
