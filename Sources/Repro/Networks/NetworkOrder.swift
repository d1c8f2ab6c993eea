import Metrics
import Submit

/// The order of a network's six outputs, which is not that of the label file; this is the only place that knows both.
public enum NetworkOrder {
    /// The type of each output.
    public static let types: [HemorrhageType] = [
        .any, .epidural, .subdural, .subarachnoid, .intraventricular, .intraparenchymal,
    ]

    /// 1 for each type that a slice has, 0 for the others. A slice that is listed twice has its labels once.
    public static func targets(of labels: [HemorrhageType]) -> [Float] { types.map { labels.contains($0) ? 1 : 0 } }

    /// Values by type, in the order of `HemorrhageType.allCases`, as the network has them.
    public static func reordered<Value>(fromFileOrder values: [Value]) -> [Value] {
        types.compactMap { type in HemorrhageType.allCases.firstIndex(of: type).map { values[$0] } }
    }

    /// A network's probabilities, six a slice, as rows of a prediction table.
    public static func fileOrder(_ probabilities: [Double]) -> [Double] {
        let places = HemorrhageType.allCases.compactMap(types.firstIndex(of:))
        return stride(from: 0, to: probabilities.count, by: types.count).flatMap { start in
            places.map { probabilities[start + $0] }
        }
    }
}
