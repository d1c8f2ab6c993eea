/// Floats at a fixed address, aligned to a cache line and zero at first.
///
/// Kernels take its address; it lives as long as the network that owns it.
final class FloatBuffer {
    let base: UnsafeMutablePointer<Float>
    let count: Int

    init(count: Int) {
        self.count = count
        base = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * MemoryLayout<Float>.stride), alignment: 64)
            .bindMemory(to: Float.self, capacity: max(16, count))
        base.initialize(repeating: 0, count: max(16, count))
    }

    deinit { base.deallocate() }

    func zero() { base.update(repeating: 0, count: count) }
}

/// The number of channels a pixel takes in memory: a multiple of 16, the rest zeros.
func paddedChannels(_ channels: Int) -> Int { (channels + 15) / 16 * 16 }
