import Synchronization

extension Network {
    /// Decodes, windows and augments slices into the batch, one task a slice.
    ///
    /// - Parameters:
    ///   - purpose: which random stream the augmentation draws from, with `round` (the epoch, or the test-time draw).
    /// - Throws: the source's error for the first slice that has one.
    func setImages(
        _ ids: [String], source: SliceSource, windows: [Window], augmentation: Augmentation?, seed: UInt64,
        purpose: RandomPurpose, round: UInt32
    ) throws {
        let size = graph.input.height
        let failures = Mutex<[Int: any Error]>([:])
        pool.run(ids.count) { index, _ in
            do {
                let slice = try source(ids[index])
                var random = Philox(seed: seed, purpose: purpose, epoch: round, sample: streamNumber(of: ids[index]))
                var pixels = [Float](repeating: 0, count: size * size * 3)
                pixels.withUnsafeMutableBufferPointer { pixels in
                    guard let base = pixels.baseAddress else { return }
                    networkInput(
                        of: slice, windows: windows, size: size, augmentation: augmentation, random: &random,
                        into: base,
                        channelStride: 3)
                    setImage(index, base)
                }
            } catch {
                failures.withLock { $0[index] = error }
            }
        }
        if let first = failures.withLock({ $0.min { $0.key < $1.key } }) { throw first.value }
    }
}
