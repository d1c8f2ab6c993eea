import Foundation
import Testing

@testable import Nets

/// The golden folder of the package that this file belongs to.
private let golden = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
        "golden")

/// `golden/images.json`: samples that `golden/images.py` computed in float64.
private struct ImageSamples: Decodable {
    struct Case: Decodable {
        let size: Int
        let crop: [Int]
        let flip: Bool
        let rotate_degrees: Double?
        let mean: [Double]
        let at: [[Double]]
    }
    let rows: Int
    let columns: Int
    let windows: [[Float]]
    let cases: [Case]
}

/// The image of `golden/images.py`.
private func formulaImage(rows: Int = 40, columns: Int = 48) -> HounsfieldImage {
    HounsfieldImage(
        rows: rows, columns: columns,
        values: (0..<rows * columns).map { i in
            let (r, c) = (i / columns, i % columns)
            return Float((7 * r * r + 5 * c * c + 11 * r * c + 13 * r + 29 * c) % 400 - 150)
        })
}

/// A transform's result.
private func input(
    _ image: HounsfieldImage, size: Int, _ transform: SliceTransform, windows: [Window] = Window.original
) -> [Float] {
    networkInput(of: image, windows: windows, size: size, transform: transform)
}

/// A drawn result with `gap` floats between the rows, -1 where nothing was written.
private func drawn(
    _ image: HounsfieldImage, size: Int, _ augmentation: Augmentation?, _ random: inout Philox, gap: Int = 0
) -> [Float] {
    let row = size * 3 + gap
    var output = [Float](repeating: -1, count: size * row)
    output.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        networkInput(
            of: image, windows: Window.original, augmentation: augmentation, random: &random,
            scratch: InputScratch(size: size), into: base, rowStride: row)
    }
    return output
}

/// A value's three channels.
private func windowed(_ value: Float) -> [Float] {
    let position = WindowLanes(Window.original).position(of: value)
    return [position[0], position[1], position[2]]
}

private func stream(_ sample: UInt32, seed: UInt64 = 20) -> Philox {
    Philox(seed: seed, purpose: .augmentation, epoch: 0, sample: sample)
}

@Suite("Network input")
struct NetworkInputTests {
    @Test("crop, resize, mirror and rotation agree with an independent float64 implementation within 1e-6")
    func goldenSamples() throws {
        let samples = try JSONDecoder().decode(
            ImageSamples.self, from: Data(contentsOf: golden.appendingPathComponent("images.json")))
        let image = formulaImage(rows: samples.rows, columns: samples.columns)
        let windows = samples.windows.map { Window(center: $0[0], width: $0[1]) }
        for expected in samples.cases {
            let crop = expected.crop
            let transform = SliceTransform(
                crop: .init(x: crop[0], y: crop[1], width: crop[2], height: crop[3]), flipped: expected.flip,
                rotationDegrees: expected.rotate_degrees)
            let output = input(image, size: expected.size, transform, windows: windows)
            for sample in expected.at {
                let pixel = (Int(sample[0]) * expected.size + Int(sample[1])) * windows.count
                for channel in windows.indices {
                    let difference = abs(Double(output[pixel + channel]) - sample[2 + channel])
                    #expect(difference < 1e-6, "\(transform) at \(sample[0]), \(sample[1]), channel \(channel)")
                }
            }
            for channel in windows.indices {
                let values = stride(from: channel, to: output.count, by: windows.count).map { Double(output[$0]) }
                let mean = values.reduce(0, +) / Double(values.count)
                #expect(abs(mean - expected.mean[channel]) < 1e-7, "\(transform), channel \(channel)")
            }
        }
    }

    @Test("without augmentation and at the image's own size the input is the windowed image, bit for bit")
    func plainWindowing() {
        let image = formulaImage(rows: 37, columns: 37)
        var random = stream(0)
        let untouched = random
        let output = drawn(image, size: 37, nil, &random)
        #expect(output == image.values.flatMap(windowed))
        #expect(random == untouched, "no draw may be used")
    }

    @Test("a crop at its own size is copied, not resampled")
    func identityCrop() {
        let image = formulaImage()
        let output = input(image, size: 20, SliceTransform(crop: .init(x: 5, y: 11, width: 20, height: 20)))
        for y in 0..<20 {
            for x in 0..<20 {
                let value = image.values[(y + 11) * image.columns + x + 5]
                #expect(output[(y * 20 + x) * 3] == windowed(value)[0])
            }
        }
    }

    @Test("a mirror image is the same pixels with left and right exchanged")
    func mirror() {
        let image = formulaImage()
        let crop = SliceTransform.Crop(x: 3, y: 2, width: 39, height: 35)
        let plain = input(image, size: 31, SliceTransform(crop: crop))
        let mirrored = input(image, size: 31, SliceTransform(crop: crop, flipped: true))
        #expect(plain != mirrored)
        for y in 0..<31 {
            for x in 0..<31 {
                for channel in 0..<3 {
                    #expect(mirrored[(y * 31 + x) * 3 + channel] == plain[(y * 31 + 30 - x) * 3 + channel])
                }
            }
        }
    }

    @Test("a rotation by 0 degrees changes no bit; one by 180 moves each pixel to the opposite place")
    func wholeTurns() {
        let image = formulaImage()
        var transform = SliceTransform(wholeOf: image)
        let plain = input(image, size: 32, transform)
        transform.rotationDegrees = 0
        #expect(input(image, size: 32, transform) == plain)
        transform.rotationDegrees = 180
        let opposite = input(image, size: 32, transform)
        for y in 1..<32 {
            for x in 1..<32 {
                #expect(opposite[(y * 32 + x) * 3] == plain[((32 - y) * 32 + 32 - x) * 3])
            }
        }
    }

    @Test("a quarter turn is counter-clockwise: what was at the right comes to the top")
    func rotationSense() {
        var values = [Float](repeating: -1000, count: 32 * 32)
        values[16 * 32 + 26] = 1000
        let image = HounsfieldImage(rows: 32, columns: 32, values: values)
        var transform = SliceTransform(wholeOf: image)
        transform.rotationDegrees = 90
        let output = input(image, size: 32, transform)
        #expect(output[(6 * 32 + 16) * 3] == 1)
    }

    @Test("a constant image stays that constant, and outside a rotated image is 0")
    func constant() {
        let image = HounsfieldImage(rows: 50, columns: 61, values: .init(repeating: 33, count: 50 * 61))
        var transform = SliceTransform(crop: .init(x: 7, y: 3, width: 41, height: 45), flipped: true)
        let expected = windowed(33)
        for pixel in input(image, size: 64, transform).chunks(of: 3) { #expect(pixel == expected) }
        transform.rotationDegrees = 30
        let rotated = input(image, size: 64, transform).chunks(of: 3)
        #expect(rotated[0] == [0, 0, 0])
        for y in 16..<48 {
            for x in 16..<48 { #expect(rotated[y * 64 + x] == expected) }
        }
    }

    @Test("nothing is written between the rows and every value lies in 0 ... 1")
    func rows() {
        let image = formulaImage()
        for sample in 0..<20 as Range<UInt32> {
            var (random, again) = (stream(sample), stream(sample))
            let packed = drawn(image, size: 24, Augmentation(), &random)
            let spaced = drawn(image, size: 24, Augmentation(), &again, gap: 5)
            #expect(packed.allSatisfy { (0...1).contains($0) })
            for (row, wide) in zip(packed.chunks(of: 72), spaced.chunks(of: 77)) {
                #expect(wide == row + [-1, -1, -1, -1, -1])
            }
        }
    }

    @Test("memory that another slice was made in leaves no trace")
    func reusedScratch() {
        let image = formulaImage()
        let scratch = InputScratch(size: 24)
        for sample in 0..<20 as Range<UInt32> {
            var (random, again) = (stream(sample), stream(sample))
            let fresh = drawn(image, size: 24, Augmentation(), &random)
            var reused = [Float](repeating: .nan, count: fresh.count)
            reused.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                networkInput(
                    of: image, windows: Window.original, augmentation: Augmentation(), random: &again,
                    scratch: scratch, into: base, rowStride: 72)
            }
            #expect(reused == fresh)
        }
    }

    @Test("a slice's draw does not depend on which slices were drawn before it")
    func orderOfDraws() {
        let image = formulaImage()
        func draw(_ sample: UInt32) -> [Float] {
            var random = stream(sample)
            return drawn(image, size: 24, Augmentation(), &random)
        }
        let forwards = (0..<8 as Range<UInt32>).map(draw)
        let backwards = (0..<8 as Range<UInt32>).reversed().map(draw)
        #expect(forwards == backwards.reversed())
        #expect(Set(forwards).count == 8)
    }

    @Test("sine and cosine agree with the C library's within 2 units in the last place, and exactly at quarter turns")
    func sineCosine() {
        for tenth in -4000...4000 {
            let degrees = Double(tenth) / 10
            let own = sineAndCosine(degrees: degrees)
            let x = (degrees - (degrees / 360).rounded() * 360) * (Double.pi / 180)
            #expect(abs(own.sine - Foundation.sin(x)) <= 4e-16)
            #expect(abs(own.cosine - Foundation.cos(x)) <= 4e-16)
            guard abs(degrees) <= 45 else { continue }
            #expect(abs(own.sine - Foundation.sin(x)) <= 2 * Foundation.sin(abs(x)).ulp)
            #expect(abs(own.cosine - Foundation.cos(x)) <= 2 * Foundation.cos(x).ulp)
        }
        #expect(sineAndCosine(degrees: 90) == (1, 0) && sineAndCosine(degrees: -90) == (-1, 0))
    }
}

@Suite("Augmentation")
struct AugmentationTests {
    @Test("the defaults are the original's")
    func defaults() {
        let augmentation = Augmentation()
        #expect(augmentation.scale == 0.7...1)
        #expect(augmentation.aspectRatio == 0.75...(4.0 / 3))
        #expect(augmentation.flipProbability == 0.5)
        #expect(augmentation.rotationProbability == 0.5)
        #expect(augmentation.rotationDegrees == 30)
    }

    @Test("crops lie in the image with the area and aspect asked for, and every mean is where it should be")
    func draws() {
        let count = 4000
        var (flips, rotations, area, degrees) = (0, 0, 0.0, 0.0)
        for sample in 0..<UInt32(count) {
            var random = stream(sample)
            let transform = Augmentation().draw(rows: 512, columns: 512, random: &random)
            let crop = transform.crop
            #expect(crop.x >= 0 && crop.y >= 0 && crop.x + crop.width <= 512 && crop.y + crop.height <= 512)
            let part = Double(crop.width * crop.height) / (512 * 512)
            // Half a pixel of rounding on each side.
            #expect(part > 0.697 && part <= 1)
            let aspect = Double(crop.width) / Double(crop.height)
            #expect(aspect > 0.747 && aspect < 1.338)
            area += part
            flips += transform.flipped ? 1 : 0
            if let angle = transform.rotationDegrees {
                #expect(abs(angle) <= 30)
                rotations += 1
                degrees += angle
            }
        }
        // Five standard errors of 0.5 and of a uniform angle.
        #expect(abs(flips - count / 2) < 160 && abs(rotations - count / 2) < 160)
        #expect(abs(degrees / Double(rotations)) < 2)
        // Near 0.7 a crop of any aspect fits and near 1 only the square: the mean is below the middle.
        #expect((0.75...0.85).contains(area / Double(count)))
    }

    @Test("the draws come in the documented order, and Python's rounding decides the crop")
    func documentedOrder() {
        for sample in 0..<200 as Range<UInt32> {
            var random = stream(sample)
            let transform = Augmentation().draw(rows: 256, columns: 256, random: &random)
            var replay = stream(sample)
            var crop: SliceTransform.Crop?
            for _ in 0..<15 where crop == nil {
                let area = (0.7 + (1 - 0.7) * Double(replay.uniform())) * 65536
                let aspect = 0.75 + (4.0 / 3 - 0.75) * Double(replay.uniform())
                var w = (area * aspect).squareRoot().rounded(.toNearestOrEven)
                var h = (area / aspect).squareRoot().rounded(.toNearestOrEven)
                if replay.uniform() < 0.5, h / w >= 0.75, h / w <= 4.0 / 3 { (w, h) = (h, w) }
                guard w <= 256, h <= 256 else { continue }
                let y = replay.below(UInt32(257 - h))
                crop = .init(x: Int(replay.below(UInt32(257 - w))), y: Int(y), width: Int(w), height: Int(h))
            }
            if let crop { #expect(transform.crop == crop) } else { continue }
            #expect(transform.flipped == (replay.uniform() < 0.5))
            let rotated = replay.uniform() < 0.5
            #expect(transform.rotationDegrees == (rotated ? -30 + 60 * Double(replay.uniform()) : nil))
            #expect(random == replay)
        }
    }

    @Test("where no crop fits, a square of the short side is taken")
    func fallback() {
        var augmentation = Augmentation()
        augmentation.scale = 1...1
        var random = stream(0)
        let crop = augmentation.draw(rows: 20, columns: 90, random: &random).crop
        #expect(crop.width == 20 && crop.height == 20 && crop.y == 0 && crop.x <= 70)
    }

    @Test("probabilities of 0 and 1 are never and always")
    func certainties() {
        var always = Augmentation()
        (always.flipProbability, always.rotationProbability) = (1, 1)
        var never = Augmentation()
        (never.flipProbability, never.rotationProbability) = (0, 0)
        for sample in 0..<200 as Range<UInt32> {
            var (first, second) = (stream(sample), stream(sample))
            let varied = always.draw(rows: 30, columns: 30, random: &first)
            let plain = never.draw(rows: 30, columns: 30, random: &second)
            #expect(varied.flipped && varied.rotationDegrees != nil)
            #expect(!plain.flipped && plain.rotationDegrees == nil)
            #expect(varied.crop == plain.crop)
        }
    }

    @Test("settings survive coding, missing fields are the original's, and impossible ones are refused by name")
    func coding() throws {
        var augmentation = Augmentation()
        augmentation.rotationDegrees = 15
        let encoded = try JSONEncoder().encode(augmentation)
        #expect(try JSONDecoder().decode(Augmentation.self, from: encoded) == augmentation)
        let partial = try JSONDecoder().decode(Augmentation.self, from: Data(#"{"rotationDegrees": 15}"#.utf8))
        #expect(partial == augmentation)
        for bad in [
            #"{"scale": [0, 1]}"#, #"{"scale": [0.7, 1.1]}"#, #"{"aspectRatio": [0, 1]}"#, #"{"flipProbability": 1.5}"#,
            #"{"rotationProbability": -0.1}"#, #"{"rotationDegrees": 400}"#,
        ] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(Augmentation.self, from: Data(bad.utf8))
            }
        }
    }
}

extension Array {
    /// The array cut into pieces of one length.
    fileprivate func chunks(of length: Int) -> [[Element]] {
        stride(from: 0, to: count, by: length).map { Array(self[$0..<$0 + length]) }
    }
}
