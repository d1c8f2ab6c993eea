import Foundation

/// docs/numerics.md's Winograd section, literally, for maps without padded channels.
struct WinogradSpecification {
    let batch: Int
    /// PyTorch's order: output, input, row, column.
    let weights: [Float]
    let inputs: Int
    let outputs: Int

    /// The weights of the data gradient: inputs and outputs change places, and the kernel is turned by 180 degrees.
    var turned: WinogradSpecification {
        var turned = [Float](repeating: 0, count: weights.count)
        for o in 0..<outputs {
            for i in 0..<inputs {
                for tap in 0..<9 { turned[(i * outputs + o) * 9 + 8 - tap] = weights[(o * inputs + i) * 9 + tap] }
            }
        }
        return .init(batch: batch, weights: turned, inputs: outputs, outputs: inputs)
    }

    // MARK: The one-dimensional transforms

    private static func input(_ d: [Float]) -> [Float] { [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1]] }
    private static func weight(_ g: [Float]) -> [Float] {
        [g[0], 0.5 * ((g[0] + g[2]) + g[1]), 0.5 * ((g[0] + g[2]) - g[1]), g[2]]
    }
    private static func output(_ m: [Float]) -> [Float] { [(m[0] + m[1]) + m[2], (m[1] - m[2]) + m[3]] }
    private static func gradient(_ e: [Float]) -> [Float] { [e[0], e[0] + e[1], e[0] - e[1], e[1]] }
    private static func weightGradient(_ m: [Float]) -> [Float] {
        let half = 0.5 * (m[1] + m[2])
        return [m[0] + half, 0.5 * (m[1] - m[2]), half + m[3]]
    }

    /// A transform of a square, row by row in `values`: down the columns, then along the rows.
    private static func square(_ values: [Float], _ transform: ([Float]) -> [Float]) -> [Float] {
        let size = values.count == 16 ? 4 : values.count == 9 ? 3 : 2
        let columns = (0..<size).map { column in transform((0..<size).map { values[$0 * size + column] }) }
        return (0..<columns[0].count).flatMap { row in transform(columns.map { $0[row] }) }
    }

    // MARK: Tiles

    /// The tiles of an image, by their first row and column, row by row.
    private static func tiles(_ height: Int, _ width: Int) -> [(row: Int, column: Int)] {
        stride(from: 0, to: height, by: 2).flatMap { row in stride(from: 0, to: width, by: 2).map { (row, $0) } }
    }

    /// `size` x `size` values of one channel from (row, column) on; 0 outside the map.
    private static func patch(
        _ x: [Float], _ image: Int, _ channel: Int, of channels: Int, row: Int, column: Int, size: Int, height: Int,
        width: Int
    ) -> [Float] {
        (0..<size * size).map { i in
            let (r, c) = (row + i / size, column + i % size)
            guard (0..<height).contains(r), (0..<width).contains(c) else { return 0 }
            return x[((image * height + r) * width + c) * channels + channel]
        }
    }

    private func inputPatches(_ x: [Float], _ image: Int, _ tile: (row: Int, column: Int), _ height: Int, _ width: Int)
        -> [[Float]]
    {
        (0..<inputs).map { i in
            Self.square(
                Self.patch(
                    x, image, i, of: inputs, row: tile.row - 1, column: tile.column - 1, size: 4, height: height,
                    width: width), Self.input)
        }
    }

    // MARK: Passes

    func convolve(_ x: [Float], height: Int, width: Int) -> [Float] {
        let kernels = (0..<outputs * inputs).map { Self.square(Array(weights[$0 * 9..<$0 * 9 + 9]), Self.weight) }
        var y = [Float](repeating: 0, count: batch * height * width * outputs)
        for image in 0..<batch {
            for tile in Self.tiles(height, width) {
                let patches = inputPatches(x, image, tile, height, width)
                for o in 0..<outputs {
                    let products = (0..<16).map { position in
                        (0..<inputs).reduce(0 as Float) { sum, i in
                            fma(patches[i][position], kernels[o * inputs + i][position], sum)
                        }
                    }
                    for (i, value) in Self.square(products, Self.output).enumerated() {
                        let (row, column) = (tile.row + i / 2, tile.column + i % 2)
                        guard row < height, column < width else { continue }
                        y[((image * height + row) * width + column) * outputs + o] = value
                    }
                }
            }
        }
        return y
    }

    func weightGradient(
        _ x: [Float], _ dy: [Float], height: Int, width: Int, batchSum: ((Range<Int>) -> Float) -> Float
    ) -> [Float] {
        let tiles = Self.tiles(height, width)
        // By image and tile.
        let patches = (0..<batch).map { image in tiles.map { inputPatches(x, image, $0, height, width) } }
        let gradients = (0..<batch).map { image in
            tiles.map { tile in
                (0..<outputs).map { o in
                    Self.square(
                        Self.patch(
                            dy, image, o, of: outputs, row: tile.row, column: tile.column, size: 2, height: height,
                            width: width), Self.gradient)
                }
            }
        }
        return (0..<outputs * inputs).flatMap { pair in
            let (o, i) = (pair / inputs, pair % inputs)
            let sums = (0..<16).map { position in
                batchSum { images in
                    var sum: Float = 0
                    for image in images {
                        for tile in tiles.indices {
                            sum = fma(patches[image][tile][i][position], gradients[image][tile][o][position], sum)
                        }
                    }
                    return sum
                }
            }
            return Self.square(sums, Self.weightGradient)
        }
    }
}
