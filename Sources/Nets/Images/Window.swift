import Basics

/// A range of Hounsfield units shown as one channel, by its center and width (DICOM 0028,1050 and 0028,1051).
///
/// A width is at least 2 HU: below that `lower` and `upper` meet. Decoding refuses it; making network input stops on it.
public struct Window: Sendable, Codable, Hashable {
    /// The middle of the range, in HU.
    public var center: Float
    /// The width of the range, in HU, at least 2.
    public var width: Float

    /// Makes a window; its bounds are ``lower`` and ``upper``.
    public init(center: Float, width: Float) {
        self.center = center
        self.width = width
    }

    /// Decodes center and width; one that is not finite, or a width below 2 HU, is a decoding error.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        center = try container.decode(Float.self, forKey: .center)
        width = try container.decode(Float.self, forKey: .width)
        guard width >= 2, width.isFinite, center.isFinite else {
            throw DecodingError.dataCorruptedError(
                forKey: .width, in: container,
                debugDescription:
                    "a window of center \(center) and width \(width): both finite, and width at least 2 HU, expected")
        }
    }

    /// The solution's three channels, in order: brain (40, 80), subdural (80, 200), soft tissue (40, 380).
    public static let original = [
        Window(center: 40, width: 80), Window(center: 80, width: 200), Window(center: 40, width: 380),
    ]

    /// The HU value that becomes 0: center - width // 2, where // rounds down as Python's does.
    public var lower: Float { center - (width / 2).rounded(.down) }

    /// The HU value that becomes 1: center + width // 2. An odd width therefore spans width - 1 HU, as in the original.
    public var upper: Float { center + (width / 2).rounded(.down) }
}

extension Window: CanonicalValue {
    package func append(to form: inout CanonicalForm) { form.append(list: [center, width]) }
}
