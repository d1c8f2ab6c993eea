import Basics

/// How slices are varied at random, in training and in test-time augmentation alike; the defaults are the original solution's.
///
/// Three steps in this order: a random crop resized to the input size (always), a mirror image, a rotation. `docs/augmentation.md`
/// gives every draw and every operation.
public struct Augmentation: Sendable, Codable, Equatable {
    /// The crop's part of the image's area; within 0 (exclusive) ... 1.
    public var scale: ClosedRange<Double> = 0.7...1
    /// The crop's width over its height; greater than 0.
    public var aspectRatio: ClosedRange<Double> = 3.0 / 4.0...4.0 / 3.0
    /// The probability of a mirror image, left for right.
    public var flipProbability: Double = 0.5
    /// The probability of a rotation. The original's configuration says 0.7, but where the library does not read it: 0.5 applied.
    public var rotationProbability: Double = 0.5
    /// The largest rotation in degrees, either way.
    public var rotationDegrees: Double = 30

    /// The original solution's augmentation.
    public init() {}

    /// Decodes an augmentation, of which any field may be missing and then has the original's value; values out of range are decoding errors.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(
            _ key: CodingKeys, into value: inout Value, _ expected: String, if valid: (Value) -> Bool
        ) throws {
            guard let read = try container.decodeIfPresent(Value.self, forKey: key) else { return }
            guard valid(read) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container, debugDescription: "\(key.stringValue) is \(read): \(expected) expected")
            }
            value = read
        }
        func isProbability(_ value: Double) -> Bool { (0...1).contains(value) }
        try read(.scale, into: &scale, "a range within 0 ... 1, without 0") { $0.lowerBound > 0 && $0.upperBound <= 1 }
        try read(.aspectRatio, into: &aspectRatio, "a finite range above 0") {
            $0.lowerBound > 0 && $0.upperBound.isFinite
        }
        try read(.flipProbability, into: &flipProbability, "a number in 0 ... 1", if: isProbability)
        try read(.rotationProbability, into: &rotationProbability, "a number in 0 ... 1", if: isProbability)
        try read(.rotationDegrees, into: &rotationDegrees, "a number in 0 ... 180") { (0...180).contains($0) }
    }

    /// Draws one variation for an image of this size: crop, then flip, then rotation.
    ///
    /// Every chance is drawn whatever came before it, so the flip and rotation depend on the crop only through the number of its tries.
    func draw(rows: Int, columns: Int, random: inout Philox) -> SliceTransform {
        let crop = drawCrop(rows: rows, columns: columns, random: &random)
        let flipped = random.chance(flipProbability)
        var degrees: Double?
        if random.chance(rotationProbability) {
            degrees = random.uniform(in: -rotationDegrees...rotationDegrees)
        }
        return SliceTransform(crop: crop, flipped: flipped, rotationDegrees: degrees)
    }

    /// RandomResizedCrop as albumentations 0.3 draws it: 15 tries, then a random square of the short side.
    private func drawCrop(rows: Int, columns: Int, random: inout Philox) -> SliceTransform.Crop {
        for _ in 0..<15 {
            let area = random.uniform(in: scale) * Double(rows * columns)
            let aspect = random.uniform(in: aspectRatio)
            // Half to even, as Python's round; a square root is correctly rounded by IEEE 754.
            var width = (area * aspect).squareRoot().rounded(.toNearestOrEven)
            var height = (area / aspect).squareRoot().rounded(.toNearestOrEven)
            if random.chance(0.5) && aspectRatio.contains(height / width) {
                swap(&width, &height)
            }
            if (1...Double(columns)).contains(width) && (1...Double(rows)).contains(height) {
                return place(width: Int(width), height: Int(height), rows: rows, columns: columns, random: &random)
            }
        }
        let side = min(rows, columns)
        return place(width: side, height: side, rows: rows, columns: columns, random: &random)
    }

    /// Puts a crop at a uniform position: the first row is drawn first, then the first column.
    private func place(width: Int, height: Int, rows: Int, columns: Int, random: inout Philox) -> SliceTransform.Crop {
        let y = Int(random.below(UInt32(rows - height + 1)))
        let x = Int(random.below(UInt32(columns - width + 1)))
        return SliceTransform.Crop(x: x, y: y, width: width, height: height)
    }
}

/// What is done to one slice on its way to a network: a crop resized to the input size, mirrored or not, rotated or not.
package struct SliceTransform: Sendable, Equatable {
    /// A rectangle of pixels, its first column and row and its size.
    package struct Crop: Sendable, Equatable {
        package var x: Int
        package var y: Int
        package var width: Int
        package var height: Int

        package init(x: Int, y: Int, width: Int, height: Int) {
            (self.x, self.y, self.width, self.height) = (x, y, width, height)
        }
    }

    package var crop: Crop
    /// Whether left and right change places.
    package var flipped: Bool
    /// The rotation about the center, counter-clockwise as seen on a screen; nil is none at all.
    package var rotationDegrees: Double?

    package init(crop: Crop, flipped: Bool = false, rotationDegrees: Double? = nil) {
        (self.crop, self.flipped, self.rotationDegrees) = (crop, flipped, rotationDegrees)
    }

    /// The whole image, only resized.
    package init(wholeOf image: HounsfieldImage) {
        self.init(crop: Crop(x: 0, y: 0, width: image.columns, height: image.rows))
    }
}

extension Augmentation: CanonicalValue {
    package func append(to form: inout CanonicalForm) {
        form.append(list: [
            scale.lowerBound, scale.upperBound, aspectRatio.lowerBound, aspectRatio.upperBound, flipProbability,
            rotationProbability, rotationDegrees,
        ])
    }
}
