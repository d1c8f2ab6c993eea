/// Writes a slice as a network sees it: each window scaled to 0 ... 1, then varied by one random draw, or only resized.
///
/// - Parameters:
///   - image: the slice, in HU.
///   - windows: three, one per channel, in channel order.
///   - augmentation: how to vary the slice; nil resizes the whole slice and draws nothing.
///   - random: the stream of this slice and epoch, or of this slice and test-time draw.
///   - scratch: decides rows and columns of the result; nothing in it outlives the call.
///   - output: row, column, channel: rows of `size * 3` floats.
///   - rowStride: floats from one row to the next. What lies between rows is not written.
///
/// The bits depend on the arguments alone: binary32 and binary64 operations in the order that `docs/augmentation.md` gives, no libm.
package func networkInput(
    of image: HounsfieldImage, windows: [Window], augmentation: Augmentation?, random: inout Philox,
    scratch: InputScratch, into output: UnsafeMutablePointer<Float>, rowStride: Int
) {
    let transform =
        augmentation?.draw(rows: image.rows, columns: image.columns, random: &random) ?? SliceTransform(wholeOf: image)
    networkInput(
        of: image, windows: windows, transform: transform, scratch: scratch, into: output, rowStride: rowStride)
}

/// A slice as a network sees it under a given transform: `size * size * 3` numbers, row, column, channel.
///
/// - Parameters:
///   - windows: three, one per channel, in channel order.
///   - size: rows and columns of the result.
package func networkInput(
    of image: HounsfieldImage, windows: [Window], size: Int, transform: SliceTransform
) -> [Float] {
    [Float](unsafeUninitializedCapacity: size * size * 3) { output, count in
        guard let base = output.baseAddress else { return }
        networkInput(
            of: image, windows: windows, transform: transform, scratch: InputScratch(size: size), into: base,
            rowStride: size * 3)
        count = size * size * 3
    }
}

private func networkInput(
    of image: HounsfieldImage, windows: [Window], transform: SliceTransform, scratch: InputScratch,
    into output: UnsafeMutablePointer<Float>, rowStride: Int
) {
    let crop = transform.crop
    precondition(windows.count == 3, "a network has three channels, not \(windows.count)")
    precondition(windows.allSatisfy { $0.upper > $0.lower }, "a window is at least 2 HU wide")
    precondition(
        crop.x >= 0 && crop.y >= 0 && crop.width > 0 && crop.height > 0
            && crop.x + crop.width <= image.columns && crop.y + crop.height <= image.rows,
        "\(crop) is not inside an image of \(image.rows) rows and \(image.columns) columns")
    resize(image, crop: crop, windows: WindowLanes(windows), flipped: transform.flipped, scratch)
    if let degrees = transform.rotationDegrees {
        rotate(scratch.resized, size: scratch.size, degrees: degrees, into: output, rowStride: rowStride)
    } else {
        for y in 0..<scratch.size {
            let row = scratch.resized + y * scratch.size
            writeRow(of: scratch.size, to: output + y * rowStride) { row[$0] }
        }
    }
}

/// The three channels of one pixel, and a fourth lane that is always 0: all are computed at once.
typealias Pixel = SIMD4<Float>

/// Writes a row's pixels, 3 floats each, from the left to the right.
///
/// A pixel is stored with its fourth lane, which the next one overwrites; only the last may not write past its three.
@inline(__always)
private func writeRow(
    of size: Int, to output: UnsafeMutablePointer<Float>, _ pixel: (_ x: Int) -> Pixel
) {
    for x in 0..<size - 1 {
        UnsafeMutableRawPointer(output + x &* 3).storeBytes(of: pixel(x), as: Pixel.self)
    }
    let (last, end) = (pixel(size - 1), output + (size - 1) * 3)
    (end[0], end[1], end[2]) = (last[0], last[1], last[2])
}

/// The bounds of up to three windows, one a lane.
struct WindowLanes {
    let lower: Pixel
    let span: Pixel

    init(_ windows: [Window]) {
        // Below the fourth lane's bound is everything, so it is 0 / 1.
        var (lower, span) = (Pixel(repeating: .infinity), Pixel(repeating: 1))
        for (lane, window) in windows.enumerated() {
            lower[lane] = window.lower
            span[lane] = window.upper - window.lower
        }
        (self.lower, self.span) = (lower, span)
    }

    /// Where a value lies in each window, 0 at or below `Window.lower` and 1 at or above `Window.upper`; NaN counts as below.
    ///
    /// Clipped first, then `(value - lower) / (upper - lower)` with one rounding for the subtraction and one for the division.
    @inline(__always)
    func position(of value: Float) -> Pixel {
        let offset = Pixel(repeating: value) - lower
        let clipped = Pixel.zero.replacing(with: offset, where: offset .> 0)
        return span.replacing(with: clipped, where: clipped .< span) / span
    }
}

/// Linear interpolation, `a + (b - a) * f`: three operations, each rounded, never fused. Equal ends give exactly that value.
@inline(__always)
private func mix(_ a: Pixel, _ b: Pixel, _ f: Float) -> Pixel {
    a + (b - a) * f
}

/// The greatest integer not above x. Truncation and a comparison: the library's `floor` is a call per pixel on baseline x86-64.
@inline(__always)
private func floorToInt(_ x: Double) -> Int {
    let truncated = Int(x)
    return Double(truncated) > x ? truncated - 1 : truncated
}

/// Which two source places one output place lies between, and how far from the first to the second.
struct Tap {
    let first: Int32
    let second: Int32
    let fraction: Float

    /// Half-pixel centers: output i lies at `(i + 0.5) * (length / size) - 0.5`; beyond the border the border repeats.
    init(_ i: Int, of size: Int, length: Int) {
        let position = (Double(i) + 0.5) * (Double(length) / Double(size)) - 0.5
        let whole = floorToInt(position)
        first = Int32(min(max(whole, 0), length - 1))
        second = Int32(min(max(whole + 1, 0), length - 1))
        fraction = Float(position - Double(whole))
    }
}

/// Windows a crop and resizes it bilinearly into `scratch.resized`, along each row first and then between rows.
///
/// Works on two resampled source rows at a time; each source pixel is windowed where it is read.
private func resize(
    _ image: HounsfieldImage, crop: SliceTransform.Crop, windows: WindowLanes, flipped: Bool, _ scratch: InputScratch
) {
    let size = scratch.size
    let columns = scratch.columns
    for x in 0..<size { columns[x] = Tap(flipped ? size - 1 - x : x, of: size, length: crop.width) }

    image.values.withUnsafeBufferPointer { values in
        guard let pixels = values.baseAddress else { return }
        func resampleRow(_ row: Int32, into resampled: UnsafeMutablePointer<Pixel>) {
            let start = pixels + (crop.y + Int(row)) * image.columns + crop.x
            for x in 0..<size {
                let tap = columns[x]
                resampled[x] = mix(
                    windows.position(of: start[Int(tap.first)]), windows.position(of: start[Int(tap.second)]),
                    tap.fraction)
            }
        }

        var (upper, lower) = (scratch.upper, scratch.lower)
        var (upperRow, lowerRow) = (-1 as Int32, -1 as Int32)
        for y in 0..<size {
            let tap = Tap(y, of: size, length: crop.height)
            if upperRow != tap.first {
                // Enlarging meets each source row twice: as the lower one, then as the upper one.
                swap(&upper, &lower)
                swap(&upperRow, &lowerRow)
                if upperRow != tap.first { resampleRow(tap.first, into: upper) }
                upperRow = tap.first
            }
            if lowerRow != tap.second {
                resampleRow(tap.second, into: lower)
                lowerRow = tap.second
            }
            let out = scratch.resized + y * size
            for x in 0..<size { out[x] = mix(upper[x], lower[x], tap.fraction) }
        }
    }
}

/// Rotates about (size / 2, size / 2) in pixel-index coordinates, bilinearly, with zeros around: OpenCV's `warpAffine` of
/// `getRotationMatrix2D(center, degrees, 1)`, in exact arithmetic instead of its 1/32-pixel steps.
private func rotate(
    _ source: UnsafeMutablePointer<Pixel>, size: Int, degrees: Double, into output: UnsafeMutablePointer<Float>,
    rowStride: Int
) {
    func at(_ row: Int, _ column: Int) -> Pixel {
        let inside = row >= 0 && column >= 0 && row < size && column < size
        return inside ? source[row * size + column] : .zero
    }
    let (sine, cosine) = sineAndCosine(degrees: degrees)
    let center = Double(size) / 2
    // Coordinates, (column, row), in binary64: at 512 pixels binary32 would leave errors of 3e-5 pixels.
    let step = SIMD2(cosine, sine)
    let last = UInt(size - 1)
    for y in 0..<size {
        let dy = Double(y) - center
        let start = SIMD2(center - sine * dy, center + cosine * dy)
        writeRow(of: size, to: output + y * rowStride) { x in
            let position = step * (Double(x) - center) + start
            let (left, top, whole) = floors(position)
            let fraction = position - whole
            let (across, down) = (Float(fraction.x), Float(fraction.y))
            if UInt(bitPattern: left) < last && UInt(bitPattern: top) < last {
                let upper = source + (top &* size &+ left)
                let lower = upper + size
                return mix(mix(upper[0], upper[1], across), mix(lower[0], lower[1], across), down)
            }
            return mix(
                mix(at(top, left), at(top, left + 1), across), mix(at(top + 1, left), at(top + 1, left + 1), across),
                down)
        }
    }
}

/// The greatest integers not above two numbers within 2^31 of 0, as integers and as numbers.
///
/// Adding 1.5 * 2^52 leaves the nearest integer in a number's last bits; no call, no branch and no check for overflow, which
/// would cost more than the rest of a pixel.
@inline(__always)
private func floors(_ x: SIMD2<Double>) -> (Int, Int, SIMD2<Double>) {
    let magic = SIMD2<Double>(repeating: 0x1.8p52)
    let nearest = (x + magic) - magic
    let whole = nearest.replacing(with: nearest - 1, where: nearest .> x)
    let shifted = whole + magic
    func integer(_ number: Double) -> Int { Int(Int32(truncatingIfNeeded: number.bitPattern)) }
    return (integer(shifted.x), integer(shifted.y), whole)
}

/// The sine and cosine of an angle in degrees, in binary64 from + - * / alone, so that every machine gets the same bits.
///
/// Whole quarter turns are taken off exactly; the rest, within 45 degrees, goes through the Taylor series to x^17 and x^18, whose
/// next term is below 1e-19.
func sineAndCosine(degrees: Double) -> (sine: Double, cosine: Double) {
    let quarters = (degrees / 90).rounded(.toNearestOrEven)
    let x = (degrees - quarters * 90) * (Double.pi / 180)
    let square = x * x
    var (sine, cosine) = (1.0, 1.0)
    for k in stride(from: 17.0, through: 1, by: -2) {
        cosine = 1 - cosine * square / (k * (k + 1))
        if k > 1 { sine = 1 - sine * square / (k * (k - 1)) }
    }
    sine *= x
    switch Int(quarters) & 3 {
    case 0: return (sine, cosine)
    case 1: return (cosine, -sine)
    case 2: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
}
