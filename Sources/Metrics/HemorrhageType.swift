/// One of the six targets of the competition, in the order of the rows in Kaggle's label file.
///
/// The raw value is the suffix of a row's ID: `ID_0002081b6_epidural`.
public enum HemorrhageType: String, CaseIterable, Sendable, Codable {
    case epidural, intraparenchymal, intraventricular, subarachnoid, subdural, any
}
