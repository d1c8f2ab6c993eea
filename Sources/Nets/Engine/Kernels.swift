import CKernels
import Foundation

/// The instruction sets that kernels exist for; `REPRO_ISA` picks one by its raw value.
public enum InstructionSet: String, CaseIterable, Sendable {
    /// Plain C, a number at a time.
    case scalar
    /// Vectors of 8 numbers: AVX2 and FMA.
    case avx2
    /// Vectors of 16 numbers: AVX-512 F, BW, DQ and VL.
    case avx512

    /// What the CPU can run, slowest first.
    public static var available: [InstructionSet] { allCases.filter { ck_supports($0.table) != 0 } }

    /// The set that `REPRO_ISA` names, or the best one that the CPU has.
    ///
    /// - Throws: ``NetsError/instructionSet(_:)`` if the variable names one that does not exist or that this CPU lacks.
    public static func chosen(environment: [String: String] = ProcessInfo.processInfo.environment) throws(NetsError)
        -> InstructionSet
    {
        guard let name = environment["REPRO_ISA"], !name.isEmpty else { return available.last ?? .scalar }
        guard let set = InstructionSet(rawValue: name), available.contains(set) else {
            throw .instructionSet(
                "REPRO_ISA=\(name): expected one of \(available.map(\.rawValue).joined(separator: ", ")), which this CPU has. Unset it to use the best."
            )
        }
        return set
    }

    var kernels: CKKernels { ck_kernels(table).pointee }

    /// The scalar code uses the CPU's own fused multiply-add where it has one: the same bits as libm's, in less time.
    private var table: CKInstructionSet {
        switch self {
        case .scalar: ck_supports(CK_SCALAR_FMA) != 0 ? CK_SCALAR_FMA : CK_SCALAR
        case .avx2: CK_AVX2
        case .avx512: CK_AVX512
        }
    }
}
