/// One run of memory that tensors share: each has a size and a time from its first use to its last.
struct Arena {
    private struct Slot {
        let size: Int
        let start: Int
        var end: Int
        /// Tensors that this one may be written over.
        let candidates: [Int]
        /// The tensor whose place it has taken.
        var root: Int?
        var offset = 0
    }

    private var slots: [Slot] = []
    /// Floats in all.
    private(set) var count = 0

    /// A tensor of `size` floats that is first used at `time`.
    ///
    /// - Parameter candidates: tensors that it may be written over, if nobody reads them after `time`.
    mutating func add(_ size: Int, at time: Int, over candidates: [Int] = []) -> Int {
        slots.append(Slot(size: (size + 15) / 16 * 16, start: time, end: time, candidates: candidates))
        return slots.count - 1
    }

    mutating func use(_ slot: Int, at time: Int) { slots[slot].end = max(slots[slot].end, time) }

    /// Where a tensor lies, in floats; 0 before `place`.
    func offset(_ slot: Int) -> Int { slots[slots[slot].root ?? slot].offset }

    /// Finds a place for each: the largest first, each at the lowest offset that is free for its whole time.
    mutating func place() {
        for index in slots.indices {
            let slot = slots[index]
            let roots = slot.candidates.map { slots[$0].root ?? $0 }
            guard let root = roots.first(where: { slots[$0].end == slot.start && slots[$0].size == slot.size })
            else { continue }
            slots[index].root = root
            slots[root].end = slot.end
        }
        let own = slots.indices.filter { slots[$0].root == nil }
        var placed: [Int] = []
        for index in own.sorted(by: { (slots[$1].size, $0) < (slots[$0].size, $1) }) {
            let slot = slots[index]
            let rivals = placed.filter { slots[$0].start <= slot.end && slot.start <= slots[$0].end }
                .sorted { slots[$0].offset < slots[$1].offset }
            var offset = 0
            for rival in rivals where offset + slot.size > slots[rival].offset {
                offset = max(offset, slots[rival].offset + slots[rival].size)
            }
            slots[index].offset = offset
            placed.append(index)
        }
        count = slots.map { $0.offset + $0.size }.max() ?? 0
    }
}
