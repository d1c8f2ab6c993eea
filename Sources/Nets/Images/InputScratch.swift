/// Memory in which one thread makes network input of one size, so that making it allocates nothing.
package final class InputScratch {
    /// Rows and columns of the input.
    package let size: Int
    /// Where each column of the result reads.
    let columns: UnsafeMutablePointer<Tap>
    /// Two source rows, resampled to `size` pixels.
    let upper: UnsafeMutablePointer<Pixel>
    let lower: UnsafeMutablePointer<Pixel>
    /// The resized image, `size * size` pixels, which a rotation reads.
    let resized: UnsafeMutablePointer<Pixel>

    package init(size: Int) {
        precondition(size > 0, "network input has at least one pixel")
        self.size = size
        columns = .allocate(capacity: size)
        upper = .allocate(capacity: size)
        lower = .allocate(capacity: size)
        resized = .allocate(capacity: size * size)
    }

    deinit {
        columns.deallocate()
        upper.deallocate()
        lower.deallocate()
        resized.deallocate()
    }

    /// Bytes that this takes for a size.
    static func bytes(size: Int) -> Int {
        size * MemoryLayout<Tap>.stride + (2 * size + size * size) * MemoryLayout<Pixel>.stride
    }
}
