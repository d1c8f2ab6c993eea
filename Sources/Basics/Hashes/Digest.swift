import CHash
import COpenSSL
import Foundation

/// SHA-256 of bytes and files, as lower-case hexadecimal.
package enum Digest {
    package static func sha256(_ bytes: some ContiguousBytes) -> String {
        bytes.withUnsafeBytes(sha256(of:))
    }

    package static func sha256(_ text: String) -> String {
        var text = text
        return text.withUTF8 { sha256(of: UnsafeRawBufferPointer($0)) }
    }

    /// A hash over bytes that come in pieces, by OpenSSL, which uses the processor's instructions for it.
    package struct Stream: ~Copyable {
        private let context: OpaquePointer

        /// Looked up once: OpenSSL's own search takes longer than hashing a short text.
        /// An algorithm may be used from any thread (EVP_MD_fetch(3)).
        nonisolated(unsafe) private static let algorithm = {
            // Without the system's openssl.cnf, which is written for connections: one that loads only the providers that these need,
            // or wants certified ones, has no SHA-256 for us.
            OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil)
            return EVP_MD_fetch(nil, "SHA256", nil)
        }()

        package init() {
            guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, Self.algorithm, nil) == 1 else {
                preconditionFailure("OpenSSL has no SHA-256 or no memory")
            }
            self.context = context
        }

        deinit { EVP_MD_CTX_free(context) }

        package mutating func update(_ bytes: UnsafeRawBufferPointer) {
            precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1)
        }

        package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

        package consuming func finish() -> String {
            let digest = [UInt8](unsafeUninitializedCapacity: 32) { bytes, count in
                precondition(EVP_DigestFinal_ex(context, bytes.baseAddress, nil) == 1)
                count = 32
            }
            return Digest.hexadecimal(digest)
        }
    }

    private static func sha256(of message: UnsafeRawBufferPointer) -> String {
        var hash = Stream()
        hash.update(message)
        return hash.finish()
    }

    /// The hash of each of some messages, two at once where the processor can: that takes little longer than one (`PairHash.h`).
    package static func sha256(ofEach messages: [UnsafeRawBufferPointer]) -> [String] {
        stride(from: 0, to: messages.count, by: 2).flatMap { start in
            let pair = messages[start..<min(start + 2, messages.count)]
            return (pair.count == 2 ? sha256(pair: pair[start], pair[start + 1]) : nil) ?? pair.map(sha256(of:))
        }
    }

    private static func sha256(pair first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> [String]? {
        var digests = [UInt8](repeating: 0, count: 64)
        guard sha256_pair(first.baseAddress, first.count, second.baseAddress, second.count, &digests) else {
            return nil
        }
        return [hexadecimal(digests[..<32]), hexadecimal(digests[32...])]
    }

    /// The hash of each of some images, likewise.
    package static func sha256(ofEach images: [[Int16]]) -> [String] {
        func hashes(_ rest: ArraySlice<[Int16]>, _ messages: [UnsafeRawBufferPointer]) -> [String] {
            guard let image = rest.first else { return sha256(ofEach: messages) }
            return image.withUnsafeBytes { hashes(rest.dropFirst(), messages + [$0]) }
        }
        return hashes(images[...], [])
    }

    /// The hash of a file's bytes, read in pieces.
    ///
    /// - Throws: ``Failure``: `inputMissing` if it cannot be opened, `inputOutput` if it cannot be read.
    package static func sha256(file path: String) throws -> String {
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else {
            throw Failure(.inputMissing, "\(path): cannot be opened for reading. Check that it exists and is readable.")
        }
        defer { close(descriptor) }
        var hash = Stream()
        // A quarter of a megabyte stays in the processor's cache between reading and hashing.
        try withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 64) { buffer in
            while true {
                let count = uninterrupted { read(descriptor, buffer.baseAddress, buffer.count) }
                guard count >= 0 else { throw systemFailure("read", path) }
                if count == 0 { return }
                hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        return hash.finish()
    }

    package static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
