import Basics
import CFuzzer
import Foundation
import Nets
import Submit

@testable import Inputs
@testable import Repro

/// Fuzz TARGET [libFuzzer's options] [CORPUS...]: gives a reader random bytes, variations of those in the corpus, until it crashes,
/// hangs, takes too much memory or the time is up. Whatever the reader answers is right, as long as it answers.
enum Target: String, CaseIterable {
    case dicom, labels, manifest, packed, predictions, recipe, safetensors, table, torch, weights, zip

    /// One call of the reader.
    var feed: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt {
        switch self {
        case .dicom:
            { data, size in
                attempt {
                    _ = SliceFileName.startsAsDICOM(bytes(data, size))
                    _ = try readImage(in: bytes(data, size), name: "x").hounsfield(repairingWrap: true)
                }
            }
        case .labels:
            { data, size in attempt { _ = try LabelTable(parsing: bytes(data, size), name: "x", values: .binary) } }
        case .manifest: { data, size in attempt { try readManifest(bytes(data, size)) } }
        case .recipe: { data, size in attempt { try readRecipe(bytes(data, size)) } }
        case .safetensors: { data, size in attempt { _ = try SafeTensors(parsing: bytes(data, size)) } }
        case .torch: { data, size in attempt { try readCheckpoint(bytes(data, size)) } }
        case .weights: { data, size in attempt { try readWeights(bytes(data, size)) } }
        case .packed:
            { data, size in
                attempt { try readTables(Array(CompressedInput.unpacked(Data(bytes(data, size)), name: "x"))) }
            }
        case .predictions: { data, size in attempt { _ = try TestTimePredictions(parsing: bytes(data, size)) } }
        case .table: { data, size in attempt { try readTables(bytes(data, size)) } }
        case .zip: { data, size in attempt { try unzip(UnsafeRawBufferPointer(start: data, count: size)) } }
        }
    }
}

private func bytes(_ data: UnsafePointer<UInt8>?, _ size: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data, count: size))
}

private func readRecipe(_ bytes: [UInt8]) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    _ = try Recipe(yaml: text, name: "x")
}

/// What can be read is the same when it has been written.
private func readManifest(_ bytes: [UInt8]) throws {
    let manifest = try Manifest(parsing: Data(bytes), name: "x")
    let again = try Manifest(parsing: Data(manifest.text.pathBytes), name: "x")
    precondition(again.rootHash == manifest.rootHash && again.differences(from: manifest).isEmpty)
}

/// All tensors, and the search for a backbone's.
private func readCheckpoint(_ bytes: [UInt8]) throws {
    _ = try? TorchCheckpoint(parsing: bytes, of: .efficientNetB3)
    _ = try TorchCheckpoint(parsing: bytes)
}

/// A file of weights of any format, packed or not.
private func readWeights(_ bytes: [UInt8]) throws {
    let path = NSTemporaryDirectory() + "repro-fuzz-\(getpid()).weights"
    defer { unlink(path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    _ = try? WeightsFile.read(path, .init(.efficientNetB3))
    _ = try WeightsFile.read(path)
}

/// Predictions, true labels and folds have one scanner and rules of their own.
private func readTables(_ bytes: [UInt8]) throws {
    _ = try? FoldTable(parsing: bytes, name: "x")
    _ = try? TruthTable(parsing: bytes, name: "x")
    _ = try? Leaderboard(parsing: bytes, name: "x")
    _ = try? ProbabilityTable(parsing: bytes, name: "x", areLogits: true)
    // What can be read is the same when it has been written.
    let table = try PredictionTable(parsing: bytes, name: "x")
    let again = try PredictionTable(parsing: table.csv(), name: "x")
    precondition(again.sliceIDs == table.sliceIDs && again.contentHash() == table.contentHash())
}

/// Reads the directory and every member that it names.
private func unzip(_ bytes: UnsafeRawBufferPointer) throws {
    let path = NSTemporaryDirectory() + "repro-fuzz-\(getpid()).zip"
    defer { unlink(path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    guard let archive = try ZipArchive(of: try FileRegion(path: path)) else { return }
    let extractor = ZipExtractor()
    // Memory for what a member claims to be is not what is tried here, and takes most of the time.
    for member in archive.members where member.size < 1 << 20 && member.packedSize < 1 << 20 {
        var count = 0
        let outcome = Result { try extractor.read(member, in: archive.region) { count += $0.count } }
        if case .success = outcome { precondition(count == member.size) }
    }
}

/// Gives a reader each file of some folders once: what was found before stays mended, also in a build without the sanitizer.
private func replay(_ folders: [String], _ target: Target) -> Int32 {
    var files = 0
    for folder in folders where !folder.hasPrefix("-") {
        for name in (FileManager.default.subpaths(atPath: folder) ?? []).sorted() {
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
            _ = data.withUnsafeBytes { target.feed($0.bindMemory(to: UInt8.self).baseAddress, $0.count) }
            files += 1
        }
    }
    print("\(target.rawValue): \(files) files read")
    return 0
}

private func attempt(_ body: () throws -> Void) -> CInt {
    try? body()
    return 0
}

guard CommandLine.arguments.count > 1, let target = Target(rawValue: CommandLine.arguments[1]) else {
    print("usage: Fuzz \(Target.allCases.map(\.rawValue).joined(separator: "|")) [-max_total_time=60] [CORPUS...]")
    exit(64)
}
guard fuzzer_is_linked() else { exit(replay(Array(CommandLine.arguments.dropFirst(2)), target)) }

// libFuzzer reads the arguments without the target's name.
var arguments: [UnsafeMutablePointer<CChar>?] =
    ([CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)).map { strdup($0) } + [nil]
var count = CInt(arguments.count - 1)
let status = arguments.withUnsafeMutableBufferPointer { buffer in
    var start = buffer.baseAddress
    return withUnsafeMutablePointer(to: &start) { pointer in
        pointer.withMemoryRebound(to: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?.self, capacity: 1) {
            fuzzer_run(&count, $0, target.feed)
        }
    }
}
exit(status)
