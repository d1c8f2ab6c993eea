import Foundation

/// Floats at a fixed address, aligned to a cache line and zero at first.
///
/// Kernels take its address; it lives as long as the network that owns it.
final class FloatBuffer {
    let base: UnsafeMutablePointer<Float>
    let count: Int

    /// Large buffers lie in huge pages where the system has them: maps are read in strides over many pages, and a page's address is
    /// looked up far less often then.
    private static let hugePage = 1 << 21

    init(count: Int) {
        self.count = count
        let bytes = max(64, count * MemoryLayout<Float>.stride)
        let isHuge = bytes >= 2 * Self.hugePage
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: isHuge ? Self.hugePage : 64)
        #if os(Linux)
            if isHuge { madvise(memory, bytes / Self.hugePage * Self.hugePage, Int32(MADV_HUGEPAGE)) }
        #endif
        base = memory.bindMemory(to: Float.self, capacity: max(16, count))
        base.initialize(repeating: 0, count: max(16, count))
    }

    deinit { base.deallocate() }

    /// Whether all are finite numbers.
    var isFinite: Bool {
        // 0 for finite numbers only, and without a branch in the loop.
        var sum: Float = 0
        for index in 0..<count { sum += base[index] * 0 }
        return sum == 0
    }

    func zero() { base.update(repeating: 0, count: count) }
}

/// The number of channels a pixel takes in memory: a multiple of 16, the rest zeros.
func paddedChannels(_ channels: Int) -> Int { (channels + 15) / 16 * 16 }
