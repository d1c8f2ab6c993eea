/// Which half of the competition a slice belongs to.
package enum Split: String, CaseIterable, Sendable, Codable {
    case train, test
}
