import Basics
import Catalog
import Foundation
import Inputs
import Nets
import Synchronization

/// The pixels of a run's slices by ID, decoded once and kept as long as they fit in memory.
///
/// Networks ask from several threads at once, in an order of their own; what is kept changes how long that takes and nothing else.
package final class SliceStore: Sendable {
    private struct Kept {
        var images: [String: HounsfieldImage] = [:]
        var bytes = 0
    }

    /// A gigabyte: all of a demo, a small part of the competition.
    package static let defaultCapacity = 1 << 30

    private let paths: [String: String]
    private let repairsWrap: Bool
    private let capacity: Int
    private let kept = Mutex(Kept())

    /// - Parameter capacity: the most bytes of pixels that are kept; what does not fit is read anew each time.
    package init(slices: [CatalogSlice], repairsWrap: Bool, capacity: Int = SliceStore.defaultCapacity) {
        paths = Dictionary(slices.map { ($0.id, $0.path) }) { first, _ in first }
        self.repairsWrap = repairsWrap
        self.capacity = capacity
    }

    /// A slice in Hounsfield units.
    ///
    /// - Throws: ``Failure`` if its file has become unreadable since it was catalogued.
    @Sendable package func image(_ id: String) throws -> HounsfieldImage {
        if let image = kept.withLock({ $0.images[id] }) { return image }
        guard let path = paths[id] else { throw Failure(.bug, "\(id): the catalog has no such slice.") }
        let image: HounsfieldImage
        do {
            image = HounsfieldImage(try readSlice(at: path), repairingWrap: repairsWrap)
        } catch {
            throw Failure(.badInput, "\(error) It was readable when it was catalogued: has the folder changed since?")
        }
        let bytes = image.values.count * MemoryLayout<Float>.size
        kept.withLock {
            guard $0.images[id] == nil, $0.bytes + bytes <= capacity else { return }
            $0.images[id] = image
            $0.bytes += bytes
        }
        return image
    }
}
