import CHash
import Crypto
import Foundation

/// SHA-256 of bytes and files, as lower-case hexadecimal.
enum Digest {
    static func sha256(_ bytes: some DataProtocol) -> String { hexadecimal(SHA256.hash(data: bytes)) }

    static func sha256(_ text: String) -> String { sha256(Array(text.utf8)) }

    /// A hash over bytes that come in pieces.
    struct Stream {
        private var hash = SHA256()
        mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }
        func finish() -> String { Digest.hexadecimal(hash.finalize()) }
    }

    /// The hash of each of some messages, two at once where the processor can: that takes little longer than one (`PairHash.h`).
    static func sha256(ofEach messages: [UnsafeRawBufferPointer]) -> [String] {
        stride(from: 0, to: messages.count, by: 2).flatMap { start in
            let pair = messages[start..<min(start + 2, messages.count)]
            return (pair.count == 2 ? sha256(pair: pair[start], pair[start + 1]) : nil) ?? pair.map(sha256(of:))
        }
    }

    private static func sha256(of message: UnsafeRawBufferPointer) -> String {
        var hash = Stream()
        hash.update(message)
        return hash.finish()
    }

    private static func sha256(pair first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> [String]? {
        var digests = [UInt8](repeating: 0, count: 64)
        guard sha256_pair(first.baseAddress, first.count, second.baseAddress, second.count, &digests) else {
            return nil
        }
        return [hexadecimal(digests[..<32]), hexadecimal(digests[32...])]
    }

    /// The hash of each of some images, likewise.
    static func sha256(ofEach images: [[Int16]]) -> [String] {
        func hashes(_ rest: ArraySlice<[Int16]>, _ messages: [UnsafeRawBufferPointer]) -> [String] {
            guard let image = rest.first else { return sha256(ofEach: messages) }
            return image.withUnsafeBytes { hashes(rest.dropFirst(), messages + [$0]) }
        }
        return hashes(images[...], [])
    }

    /// The hash of a file's bytes, read in pieces.
    static func sha256(file path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.inputMissing, "\(path): cannot be opened for reading. Check that it exists and is readable.")
        }
        defer { close(descriptor) }
        var hash = Stream()
        // A quarter of a megabyte stays in the processor's cache between reading and hashing.
        return try withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 64) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else {
                    throw Failure(.inputOutput, "\(path): cannot be read: \(String(cString: strerror(errno))).")
                }
                if count == 0 { return hash.finish() }
                hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
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
