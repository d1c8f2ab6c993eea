/// Why a file cannot be used as a CT slice: what kind of problem, which file, what was expected and what to do.
///
/// The catalog counts these by ``Kind`` and goes on; a command that needs this one slice ends with the message.
struct SliceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `reason` in the catalog's table of skipped files.
    enum Kind: String, Sendable {
        case unreadable
        case notDICOM = "not-dicom"
        case truncated
        case malformed
        case compressed
        case notCT = "not-ct"
        case noPixels = "no-pixels"
        case multiFrame = "multi-frame"
        case badSize = "bad-size"
        case unsupportedPixels = "unsupported-pixels"
        case missingAttribute = "missing-attribute"
    }

    let kind: Kind
    let path: String
    /// What was found, what was expected and what to do; without the path.
    let detail: String

    var description: String { "\(path): \(detail)" }
}
