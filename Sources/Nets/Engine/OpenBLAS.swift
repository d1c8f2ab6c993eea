import Foundation

/// The library behind `--math openblas`, loaded when that is asked for and not before.
///
/// It starts threads of its own as soon as it is loaded, which spin for a while: linked to the program, it would slow down every
/// command that has no use for it.
struct OpenBLAS: Sendable {
    /// `cblas_sgemm` (BLAS Technical Forum, C interface): order, transpositions, m, n, k, alpha, A, B, beta, C with their strides.
    let multiply:
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32,
            Float, UnsafeMutablePointer<Float>?, Int32
        ) -> Void
    /// `openblas_set_num_threads`.
    let setThreads: @convention(c) (Int32) -> Void

    // The C interface's enumerations.
    static let rowMajor: Int32 = 101
    static let asIs: Int32 = 111
    static let transposed: Int32 = 112

    private static let file = "libopenblas.so.0"

    /// - Throws: ``NetsError/missingLibrary(_:)`` if it is not installed.
    init() throws(NetsError) {
        // Never closed: its threads run as long as the program.
        guard let library = dlopen(Self.file, RTLD_NOW | RTLD_LOCAL), let multiply = dlsym(library, "cblas_sgemm"),
            let setThreads = dlsym(library, "openblas_set_num_threads")
        else {
            throw .missingLibrary(
                "--math openblas needs \(Self.file): \(dlerror().map { String(cString: $0) } ?? "cannot be loaded"). Install the Debian package libopenblas0, or use --math exact."
            )
        }
        self.multiply = unsafeBitCast(multiply, to: type(of: self.multiply))
        self.setThreads = unsafeBitCast(setThreads, to: type(of: self.setThreads))
    }
}
