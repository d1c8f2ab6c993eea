import Foundation

/// Whether a text comes before another by the bytes of their UTF-8, as `LC_ALL=C sort` has it.
package func bytesPrecede(_ a: String, _ b: String) -> Bool {
    let inPlace = a.utf8.withContiguousStorageIfAvailable { first in
        b.utf8.withContiguousStorageIfAvailable { second in
            guard let left = first.baseAddress, let right = second.baseAddress else {
                return first.count < second.count
            }
            let order = memcmp(left, right, min(first.count, second.count))
            return order == 0 ? first.count < second.count : order < 0
        }
    }
    if case .some(.some(let precedes)) = inPlace { return precedes }
    return a.utf8.lexicographicallyPrecedes(b.utf8)
}
