import Basics
import Metrics

/// The slices of a table, numbered in the order in which they were entered, and the way back from an ID to its number.
///
/// An open-addressing hash table whose slots hold the ID's key and the slice's number. The IDs of Kaggle's files are their own keys,
/// so that a look-up touches one slot and nothing else; other IDs are compared as text where their keys agree.
package struct SliceIndex: Sendable {
    /// The IDs by number.
    package private(set) var ids: [String]
    /// The key of each ID.
    private var keys: [SliceKey] = []
    /// 0 where empty; else the key in the upper 37 bits, and below it the slice's number plus one.
    private var slots: [UInt64]
    private var sumOfPreloaded: UInt64 = 0
    /// Another one in every process, so that no file can be made to fall into one slot; the numbers of slices do not depend on it.
    private let seed = SliceKey.seed

    init(expecting count: Int = 0) {
        ids = []
        ids.reserveCapacity(count)
        keys.reserveCapacity(count)
        slots = Self.emptySlots(Self.slotCount(for: count))
    }

    /// An index of these IDs; of one that is there twice, the first place counts.
    package init(_ ids: [String]) {
        self.init(expecting: ids.count)
        for id in ids {
            let key = SliceKey(id)
            let (known, slot) = find(key) { self.ids[$0] == id }
            if known == nil {
                _ = insert(key, id, at: slot)
            } else {
                self.ids.append(id)
                keys.append(key)
            }
        }
    }

    subscript(id: String) -> Int? { find(SliceKey(id)) { ids[$0] == id }.number }

    /// The numbers of these IDs; nil if one of them is not there.
    func numbers(of wanted: [String]) -> [Int]? {
        var numbers: [Int] = []
        numbers.reserveCapacity(wanted.count)
        for id in wanted {
            guard let number = self[id] else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    /// The numbers of slices of a file, in which those that are new get the next ones in this order.
    mutating func enter(_ chunks: [[NewSlice]], of bytes: UnsafeRawBufferPointer) -> [[Int32]] {
        let first = ids.count
        let numbers = chunks.map { chunk in
            var numbers: [Int32] = []
            numbers.reserveCapacity(chunk.count)
            for start in stride(from: 0, to: chunk.count, by: RowParser.batchSize) {
                let some = chunk[start..<min(start + RowParser.batchSize, chunk.count)]
                sumOfPreloaded &+= preloaded(some.lazy.map { $0.key })
                for slice in some {
                    if slice.key.isExact {
                        let (known, slot) = find(slice.key) { _ in true }
                        // The texts follow below, all at once.
                        numbers.append(Int32(known ?? insert(slice.key, "", at: slot)))
                    } else {
                        let id = UnsafeRawBufferPointer(rebasing: bytes[slice.id])
                        let (known, slot) = find(slice.key) { has(id, at: $0) }
                        let text = String(decoding: id, as: UTF8.self)
                        numbers.append(Int32(known ?? insert(slice.key, text, at: slot)))
                    }
                }
            }
            return numbers
        }
        writeExactIDs(from: first)
        return numbers
    }

    private mutating func writeExactIDs(from first: Int) {
        let (keys, pieceSize) = (keys, 1 << 13)
        ids.withUnsafeMutableBufferPointer { ids in
            // Every call has IDs of its own.
            nonisolated(unsafe) let ids = ids
            _ = concurrentMap((ids.count - first + pieceSize - 1) / pieceSize) { piece in
                let start = first + piece * pieceSize
                for number in start..<min(start + pieceSize, ids.count) {
                    if let text = keys[number].text { ids[number] = text }
                }
            }
        }
    }

    /// Gives a key that is not there the next number.
    @inline(__always)
    private mutating func insert(_ key: SliceKey, _ id: String, at slot: Int) -> Int {
        precondition(ids.count < Self.numberMask, "a table of more than 134 million slices")
        slots[slot] = key.bits << Self.numberBits | UInt64(ids.count + 1)
        ids.append(id)
        keys.append(key)
        if ids.count * 3 > slots.count * 2 { grow() }
        return ids.count - 1
    }

    /// The number of an ID that is given as it stands in a file.
    func number(of id: UnsafeRawBufferPointer, key: SliceKey) -> Int? { find(key) { has(id, at: $0) }.number }

    /// Whether the slice of this number exists and has the ID that is given as it stands in a file.
    private func has(_ id: UnsafeRawBufferPointer, at number: Int) -> Bool {
        var known = ids[number]
        return known.withUTF8 { $0.count == id.count && $0.elementsEqual(id) }
    }

    /// Whether the slice of this number exists and the key leaves no doubt that it is the one.
    @inline(__always)
    func isExactly(_ key: SliceKey, at number: Int) -> Bool {
        number < keys.count && keys[number].bits == key.bits && key.isExact
    }

    /// Loads the slots where the search for some keys begins, all at once, so that the searches need not wait for each of them in turn.
    ///
    /// - Returns: The slots' sum, which is of no use but keeps the loads from being left out.
    func preloaded(_ keys: some Sequence<SliceKey>) -> UInt64 {
        slots.withUnsafeBufferPointer { slots in
            var sum: UInt64 = 0
            for key in keys { sum &+= slots[key.place(seed) & (slots.count - 1)] }
            return sum
        }
    }

    /// The number of a key for which `isSame` holds, or the free slot where it belongs.
    @inline(__always)
    private func find(_ key: SliceKey, isSame: (Int) -> Bool) -> (number: Int?, slot: Int) {
        slots.withUnsafeBufferPointer { slots in
            let mask = slots.count - 1
            var slot = key.place(seed) & mask
            while slots[slot] != 0 {
                if slots[slot] >> Self.numberBits == key.bits {
                    let number = Int(slots[slot] & Self.numberMask) - 1
                    if key.isExact || isSame(number) { return (number, slot) }
                }
                slot = (slot + 1) & mask
            }
            return (nil, slot)
        }
    }

    private static func emptySlots(_ count: Int) -> [UInt64] {
        concurrentArray(count) { _, slots in slots.initialize(repeating: 0) }
    }

    private mutating func grow() {
        let old = slots
        slots = Self.emptySlots(old.count * 2)
        let mask = slots.count - 1
        for entry in old where entry != 0 {
            var slot = SliceKey(bits: entry >> Self.numberBits).place(seed) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = entry
        }
    }

    /// 134 million slices.
    private static let numberBits: UInt64 = 27
    private static let numberMask: UInt64 = 1 << numberBits - 1

    /// A power of two that leaves at least a third of the slots empty.
    private static func slotCount(for count: Int) -> Int {
        var slots = 16
        while slots * 2 < count * 3 { slots *= 2 }
        return slots
    }
}

/// 37 bits of a slice's ID: all of it if it is `ID_` and nine hexadecimal digits, as Kaggle's are, and a hash of it otherwise.
struct SliceKey: Sendable {
    fileprivate let bits: UInt64

    /// Whether no other ID has this key.
    fileprivate var isExact: Bool { bits < Self.hashed }
    private static let hashed: UInt64 = 1 << 36

    fileprivate init(bits: UInt64) { self.bits = bits }

    init(_ id: String) {
        var id = id
        self = id.withUTF8 { SliceKey(UnsafeRawBufferPointer($0)) }
    }

    init(_ id: UnsafeRawBufferPointer) {
        if id.count == 12, let base = id.baseAddress, let key = SliceKey(exactly: base) {
            self = key
        } else {
            bits = Self.hash(id) >> 28 | Self.hashed
        }
    }

    /// The ID, if the key is all of it.
    fileprivate var text: String? {
        guard isExact else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 12) { text in
            (text[0], text[1], text[2]) = (UInt8(ascii: "I"), UInt8(ascii: "D"), UInt8(ascii: "_"))
            var rest = bits
            for place in (3..<12).reversed() {
                let digit = UInt8(truncatingIfNeeded: rest & 15)
                text[place] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                rest >>= 4
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Where a table begins to look for the key.
    @inline(__always)
    fileprivate func place(_ seed: UInt64) -> Int { Int(truncatingIfNeeded: Self.mix(bits ^ seed)) }

    /// The key of an ID of Kaggle's form, of which twelve bytes have to be readable; nil if it is of another.
    @inline(__always)
    init?(exactly id: UnsafeRawPointer) {
        let start = id.loadUnaligned(as: UInt32.self) & 0xFF_FFFF
        // "ID_", the first character lowest.
        guard start == 0x5F_4449, let first = Self.hexadecimal(id.loadUnaligned(fromByteOffset: 3, as: UInt64.self)),
            let last = Self.hexadecimal(id.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        else { return nil }
        bits = first << 4 | last & 15
    }

    /// The number that eight lower-case hexadecimal digits spell, the first of them the lowest byte; nil if one is no such digit.
    @inline(__always)
    private static func hexadecimal(_ text: UInt64) -> UInt64? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // Letters have bit 6 set, and 'a' ends in 1.
        let values = text & (15 * ones) + (text >> 6 & ones) * 9
        let areLetters = (values + 6 * ones) >> 4 & ones
        // Only digits come out as they went in.
        guard values & (0xF0 * ones) == 0, values + 0x30 * ones + 0x27 * areLetters == text else { return nil }
        let pairs = (values << 4 | values >> 8) & 0x00FF_00FF_00FF_00FF
        let fours = (pairs << 8 | pairs >> 16) & 0x0000_FFFF_0000_FFFF
        return (fours << 16 | fours >> 32) & 0xFFFF_FFFF
    }

    /// Eight bytes at a time, mixed by the two halves of a full multiplication.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(bytes.count)
        var position = 0
        while position + 8 <= bytes.count {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position += 8
        }
        var rest: UInt64 = 0
        while position < bytes.count {
            rest = rest << 8 | UInt64(bytes[position])
            position += 1
        }
        return mix(hash ^ rest)
    }

    fileprivate static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}

/// The six values of each of these slices, slice after slice.
func gather<Value>(_ slices: [Int], from values: [Value]) -> [Value] {
    var gathered: [Value] = []
    gathered.reserveCapacity(slices.count * typeCount)
    for slice in slices { gathered += values[slice * typeCount..<(slice + 1) * typeCount] }
    return gathered
}

/// The places of IDs in ascending order of their bytes, as `String` compares ASCII.
///
/// The first eight bytes after what all IDs begin with are compared as one number, which leaves few pairs to compare as text.
func ascendingByID(_ ids: [String]) -> [Int] {
    var common = ids.first?.utf8.count ?? 0
    for id in ids { common = zip(id.utf8, ids[0].utf8.prefix(common)).prefix { $0 == $1 }.count }
    let keys = ids.indices.map { place in
        var key: UInt64 = 0
        for byte in ids[place].utf8.dropFirst(common).prefix(8) { key = key << 8 | UInt64(byte) }
        key <<= UInt64(8 * (8 - min(8, ids[place].utf8.count - common)))
        return (key: key, place: place)
    }
    return keys.sorted { $0.key != $1.key ? $0.key < $1.key : ids[$0.place] < ids[$1.place] }.map(\.place)
}
