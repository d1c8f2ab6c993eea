import Basics

/// Why a file cannot be used as a CT slice: what kind of problem, which file, what was expected and what to do.
///
/// The catalog counts these by ``Kind`` and goes on; a command that needs this one slice ends with the message.
public struct SliceError: DescribedError, Equatable, Sendable {
    /// The raw value is the `reason` in the catalog's table of skipped files.
    public enum Kind: String, Sendable {
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

    /// What is wrong, for counting.
    public let kind: Kind
    /// The file, as it was named by the caller.
    public let path: String
    /// What was found, what was expected and what to do; without the path.
    public let detail: String

    package init(kind: Kind, path: String, detail: String) {
        self.kind = kind
        self.path = path
        self.detail = detail
    }

    package var status: ExitStatus { .badInput }
    public var description: String { "\(path): \(detail)" }
}
