/// Writes a slice as a network sees it: each window scaled to 0 ... 1, then varied by one random draw, or only resized.
///
/// - Parameters:
///   - image: the slice, in HU.
///   - windows: one per channel, in channel order.
///   - size: rows and columns of the result.
///   - augmentation: how to vary the slice; nil resizes the whole slice and draws nothing.
///   - random: the stream of this slice and epoch, or of this slice and test-time draw.
///   - output: `size * size * channelStride` floats, NHWC: row, column, channel.
///   - channelStride: floats from one pixel to the next. The first `windows.count` of each pixel are written, no other.
///
/// The bits depend on the arguments alone: binary32 and binary64 operations in the order that `docs/augmentation.md` gives, no libm.
public func networkInput(
    of image: HounsfieldImage, windows: [Window], size: Int, augmentation: Augmentation?, random: inout Philox,
    into output: UnsafeMutablePointer<Float>, channelStride: Int
) {
    let transform =
        augmentation?.draw(rows: image.rows, columns: image.columns, random: &random) ?? SliceTransform(wholeOf: image)
    networkInput(
        of: image, windows: windows, size: size, transform: transform, into: output, channelStride: channelStride)
}

/// Writes a slice as a network sees it under a given transform; otherwise as the function that draws one.
public func networkInput(
    of image: HounsfieldImage, windows: [Window], size: Int, transform: SliceTransform,
    into output: UnsafeMutablePointer<Float>, channelStride: Int
) {
    let crop = transform.crop
    precondition(size > 0 && channelStride >= windows.count, "no room for \(windows.count) channels")
    precondition(windows.allSatisfy { $0.upper > $0.lower }, "a window is at least 2 HU wide")
    precondition(
        crop.x >= 0 && crop.y >= 0 && crop.width > 0 && crop.height > 0
            && crop.x + crop.width <= image.columns && crop.y + crop.height <= image.rows,
        "\(crop) is not inside an image of \(image.rows) rows and \(image.columns) columns")
    guard let degrees = transform.rotationDegrees else {
        let target = PixelGrid(size: size, channels: windows.count, stride: channelStride, values: output)
        return resize(image, crop: crop, windows: windows, flipped: transform.flipped, into: target)
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: size * size * windows.count) { scratch in
        guard let values = scratch.baseAddress else { return }
        let upright = PixelGrid(size: size, channels: windows.count, stride: windows.count, values: values)
        let target = PixelGrid(size: size, channels: windows.count, stride: channelStride, values: output)
        resize(image, crop: crop, windows: windows, flipped: transform.flipped, into: upright)
        rotate(upright, degrees: degrees, into: target)
    }
}

/// A square of pixels in NHWC order at a place in memory that the caller owns.
private struct PixelGrid {
    let size: Int
    let channels: Int
    /// Floats from one pixel to the next.
    let stride: Int
    let values: UnsafeMutablePointer<Float>
}

/// Linear interpolation, `a + (b - a) * f`: three operations, each rounded, never fused. Equal ends give exactly that value.
@inline(__always)
private func mix(_ a: Float, _ b: Float, _ f: Float) -> Float {
    a + (b - a) * f
}

/// The greatest integer not above x. Truncation and a comparison: the library's `floor` is a call per pixel on baseline x86-64.
@inline(__always)
private func floorToInt(_ x: Double) -> Int {
    let truncated = Int(x)
    return Double(truncated) > x ? truncated - 1 : truncated
}

/// Which two source places one output place lies between, and how far from the first to the second.
private struct Tap {
    let first: Int
    let second: Int
    let fraction: Float

    /// Half-pixel centers: output i lies at `(i + 0.5) * (length / size) - 0.5`; beyond the border the border repeats.
    init(_ i: Int, of size: Int, length: Int) {
        let position = (Double(i) + 0.5) * (Double(length) / Double(size)) - 0.5
        let whole = floorToInt(position)
        first = min(max(whole, 0), length - 1)
        second = min(max(whole + 1, 0), length - 1)
        fraction = Float(position - Double(whole))
    }
}

/// Windows a crop and resizes it bilinearly, along each row first and then between rows.
///
/// Works plane by plane on two resampled source rows at a time, so the windowed image never exists as a whole.
private func resize(
    _ image: HounsfieldImage, crop: SliceTransform.Crop, windows: [Window], flipped: Bool, into target: PixelGrid
) {
    let size = target.size
    let columns = (0..<size).map { Tap(flipped ? size - 1 - $0 : $0, of: size, length: crop.width) }
    let lowers = windows.map(\.lower)
    let spans = windows.map { $0.upper - $0.lower }

    var windowed = [Float](repeating: 0, count: crop.width)
    func resampleRow(_ row: Int, into resampled: inout [Float]) {
        let start = (crop.y + row) * image.columns + crop.x
        for channel in windows.indices {
            let (lower, span) = (lowers[channel], spans[channel])
            image.values.withUnsafeBufferPointer { values in
                for x in 0..<crop.width {
                    windowed[x] = Window.position(of: values[start + x], lower: lower, span: span)
                }
            }
            for x in 0..<size {
                let tap = columns[x]
                resampled[channel * size + x] = mix(windowed[tap.first], windowed[tap.second], tap.fraction)
            }
        }
    }

    var upper = [Float](repeating: 0, count: windows.count * size)
    var lower = upper
    var (upperRow, lowerRow) = (-1, -1)
    for y in 0..<size {
        let tap = Tap(y, of: size, length: crop.height)
        if upperRow != tap.first {
            // Enlarging meets each source row twice: as the lower one, then as the upper one.
            swap(&upper, &lower)
            swap(&upperRow, &lowerRow)
            if upperRow != tap.first { resampleRow(tap.first, into: &upper) }
            upperRow = tap.first
        }
        if lowerRow != tap.second {
            resampleRow(tap.second, into: &lower)
            lowerRow = tap.second
        }
        for channel in windows.indices {
            let out = target.values + (y * size * target.stride + channel)
            for x in 0..<size {
                out[x * target.stride] = mix(upper[channel * size + x], lower[channel * size + x], tap.fraction)
            }
        }
    }
}

/// Rotates about (size / 2, size / 2) in pixel-index coordinates, bilinearly, with zeros around: OpenCV's `warpAffine` of
/// `getRotationMatrix2D(center, degrees, 1)`, in exact arithmetic instead of its 1/32-pixel steps.
private func rotate(_ source: PixelGrid, degrees: Double, into target: PixelGrid) {
    let size = source.size
    let (sine, cosine) = sineAndCosine(degrees: degrees)
    let center = Double(size) / 2
    for y in 0..<size {
        let dy = Double(y) - center
        let startX = center - sine * dy
        let startY = center + cosine * dy
        for x in 0..<size {
            let dx = Double(x) - center
            // Coordinates in binary64: at 512 pixels binary32 would leave errors of 3e-5 pixels.
            let sourceX = cosine * dx + startX
            let sourceY = sine * dx + startY
            let (left, top) = (floorToInt(sourceX), floorToInt(sourceY))
            let across = Float(sourceX - Double(left))
            let down = Float(sourceY - Double(top))
            let out = target.values + (y * size + x) * target.stride
            if left >= 0 && top >= 0 && left + 1 < size && top + 1 < size {
                let upper = source.values + (top * size + left) * source.stride
                let lower = upper + size * source.stride
                for channel in 0..<source.channels {
                    let right = channel + source.stride
                    out[channel] = mix(
                        mix(upper[channel], upper[right], across), mix(lower[channel], lower[right], across), down)
                }
            } else {
                func at(_ row: Int, _ column: Int, _ channel: Int) -> Float {
                    let inside = row >= 0 && column >= 0 && row < size && column < size
                    return inside ? source.values[(row * size + column) * source.stride + channel] : 0
                }
                for channel in 0..<source.channels {
                    out[channel] = mix(
                        mix(at(top, left, channel), at(top, left + 1, channel), across),
                        mix(at(top + 1, left, channel), at(top + 1, left + 1, channel), across), down)
                }
            }
        }
    }
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
