/// Which arithmetic computes the matrix products.
public enum Arithmetic: String, CaseIterable, Sendable, Codable {
    /// The specified order of operations: the same bits on every machine.
    case exact
    /// OpenBLAS: within rounding of `exact`, its bits depend on the library's build and the CPU.
    case openblas
}
