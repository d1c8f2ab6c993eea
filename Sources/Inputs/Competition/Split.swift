/// Which half of the competition a slice belongs to.
public enum Split: String, CaseIterable, Sendable, Codable {
    case train, test
}
