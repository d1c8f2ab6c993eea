/// How a scanner stores Hounsfield units: the four kinds that the competition's files have.
package enum DemoPixelFormat: Int, CaseIterable, Sendable {
    case signed16Offset, signed16, unsigned12, wrapped12

    /// RescaleIntercept, BitsStored, PixelRepresentation.
    package var header: (intercept: Double, bits: Int, representation: Int) {
        switch self {
        case .signed16Offset: (-1024, 16, 1)
        case .signed16: (0, 16, 1)
        case .unsigned12: (-1024, 12, 0)
        // Such files say 1: the value that the scanner meant, -1000 or so, was lost with the wrap-around.
        case .wrapped12: (1, 12, 0)
        }
    }

    package func stored(_ hounsfield: Int32) -> Int32 {
        switch self {
        case .signed16Offset: hounsfield + 1024
        case .signed16: hounsfield
        case .unsigned12: min(4095, max(0, hounsfield + 1024))
        case .wrapped12: hounsfield & 4095
        }
    }
}

/// Draws a cut through a head as a scanner would: finite pixels and noise.
package enum DemoImage {
    /// Hounsfield units, row-major, rounded to whole ones.
    ///
    /// - Parameter seed: of the noise; another one for each slice.
    package static func render(_ section: DemoHeadSection, rows: Int, columns: Int, seed: UInt64) -> [Int32] {
        // A pixel is as high as it is wide: the longer side spans -1 ... 1.
        let step = 2 / Double(max(rows, columns))
        var image: [Int32] = []
        image.reserveCapacity(rows * columns)
        for row in 0..<rows {
            for column in 0..<columns {
                let x = (Double(column) + 0.5 - Double(columns) / 2) * step
                let y = (Double(row) + 0.5 - Double(rows) / 2) * step
                // Four points a pixel: the mean softens edges as the finite resolution of a scanner does.
                let near = step / 4
                let mean =
                    (section.hounsfield(x: x - near, y: y - near) + section.hounsfield(x: x + near, y: y - near)
                        + section.hounsfield(x: x - near, y: y + near) + section.hounsfield(x: x + near, y: y + near))
                    / 4
                let value = mean + 3.5 * noise(seed, UInt64(row * columns + column))
                image.append(Int32(min(3071, max(-1024, value)).rounded()))
            }
        }
        return image
    }

    /// Mean 0, deviation 1: the sum of four uniform numbers is close enough to a normal one and needs no logarithm.
    private static func noise(_ seed: UInt64, _ place: UInt64) -> Double {
        let bits = DemoRandom.mix(seed ^ DemoRandom.mix(place))
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        // Four uniform numbers in 0 ..< 1 have mean 2 and variance 1/3; 1.7320508 is the root of 3.
        return (Double(sum) / 65536 - 2) * 1.732_050_8
    }
}
