/// One of the six targets of the competition, in the order of the rows in Kaggle's label file.
///
/// The raw value is the suffix of a row's ID: `ID_0002081b6_epidural`. The last, `any`, is the presence of any of the five others.
public enum HemorrhageType: String, CaseIterable, Sendable, Codable {
    case epidural, intraparenchymal, intraventricular, subarachnoid, subdural, any

    /// The type's weight in the competition's metric: `any` counts twice, so the six weights sum to 7.
    public var lossWeight: Double { self == .any ? 2 : 1 }
}
