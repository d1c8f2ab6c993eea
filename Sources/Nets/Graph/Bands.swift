/// How a streamed map is cut into bands, which a worker makes one after the other in its own memory for the convolution that reads them.
struct Bands {
    /// Output panels that a task takes from an image's first row to its last.
    let panels: Int
    /// Output rows that are computed at a time.
    let rows: Int
    /// Floats from one pixel of a band to the next, and from one row to the next.
    let pixelStride: Int
    let rowStride: Int
    /// Floats of a band.
    let count: Int

    private let geometry: ConvolutionGeometry
    private let inputHeight: Int

    /// Smaller maps stay in the caches, and images would be cut into too small pieces.
    static let leastPixelsInRows = 784
    static let leastPixelsInRuns = 196
    /// Pixels that tiles of the widest kernel take together, which share what they read of the weights.
    private static let tiles = 96
    /// What a band should leave room for in a second-level cache.
    private static let mostFloats = 1 << 17

    /// Bands of rows, for a convolution that keeps panels apart.
    init(_ g: ConvolutionGeometry, input: Graph.Shape) {
        geometry = g
        inputHeight = input.height
        // Few rows have little to keep; but tiles need some pixels, of which as few as possible are made for the next band.
        let enough = (2 * Self.tiles + input.width * g.stride - 1) / (input.width * g.stride)
        rows = min(g.outputSize(input.height), (max(enough, 4) + 3) / 4 * 4)
        let inputRows = min(input.height, (rows - 1) * g.stride + g.kernel)
        let most = max(1, Self.mostFloats / (inputRows * input.width * 16))
        let parts = (g.outputPanels + most - 1) / most
        // An even number where there are as many, as kernels take two.
        let even = (g.outputPanels + parts - 1) / parts
        panels = even > 1 ? (even + 1) / 2 * 2 : 1
        // Odd numbers of panels, so that what lies side by side does not meet in one set of a cache.
        pixelStride = (panels | 1) * 16
        rowStride = (input.width * (panels | 1) | 1) * 16
        count = inputRows * rowStride
    }

    /// The input rows that some output rows read.
    func inputRows(of rows: Range<Int>) -> Range<Int> {
        let top = rows.lowerBound * geometry.stride - geometry.paddingBefore
        let bottom = (rows.upperBound - 1) * geometry.stride - geometry.paddingBefore + geometry.kernel
        return max(0, top)..<min(inputHeight, bottom)
    }

    /// Pixels of a run, for a convolution that reads pixel by pixel.
    static func run(_ input: Graph.Shape) -> Int { max(24, min(tiles, mostFloats / input.stride / 24 * 24)) }
}
