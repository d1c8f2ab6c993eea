import ArgumentParser
import Basics
import Foundation
import Nets
import Repro

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast this machine trains and predicts, and how much memory that takes.",
        discussion: """
            Each backbone is measured in a process of its own, so that its peak memory is its own. "input" is \
            decoding, windowing and augmenting DICOM slices of 512 x 512 pixels with all threads, and nothing else: \
            where it is much more than "train", input is not what training waits for.

            --profile shows where a training step's time goes, operation by operation, the longest first. Where GFLOP/s are \
            near the processor's peak, arithmetic is the limit; where GB/s are near the memory's, memory is.

            repro bench --size 224 --batch 8 --json
            repro bench --profile --backbone resnet34
            """)

    @OptionGroup var engine: EngineOptions

    @Option(help: "Measure only this backbone.")
    var backbone: Backbone?

    @Option(help: ArgumentHelp("The network's input in pixels.", valueName: "px"))
    var size = 224

    @Option(help: ArgumentHelp("Images at a time.", valueName: "n"))
    var batch = 8

    @Option(help: "Each measurement goes on for at least this long.")
    var seconds = 2.0

    @Flag(help: "Show the time of each operation of a training step; needs --backbone.")
    var profile = false

    @Flag(help: "Print JSON for machines.")
    var json = false

    func validate() throws {
        guard (32...2048).contains(size) else { throw ValidationError("--size: expected 32 to 2048.") }
        guard (2...4096).contains(batch) else { throw ValidationError("--batch: expected 2 to 4096.") }
        guard (0...3600).contains(seconds) else { throw ValidationError("--seconds: expected 0 to 3600.") }
        guard !profile || backbone != nil else { throw ValidationError("--profile: expected --backbone with it.") }
    }

    func run() throws {
        if profile, let backbone { return try printProfile(of: backbone) }
        let results = try backbone.map { [try measure($0)] } ?? Backbone.allCases.map(measureApart)
        if json { return Console.result(try JSON.encode(results)) }
        var table = TextTable([
            ("backbone", .left), ("size", .right), ("batch", .right), ("threads", .right), ("train images/s", .right),
            ("predict images/s", .right), ("input images/s", .right), ("peak memory", .right),
            ("of it planned", .right),
        ])
        for result in results {
            table.add(
                result.backbone.rawValue, "\(result.size)", "\(result.batch)", "\(result.threads)",
                Numbers.fixed(result.trainImagesPerSecond, 2), Numbers.fixed(result.predictImagesPerSecond, 2),
                Numbers.fixed(result.inputImagesPerSecond, 0), Numbers.bytes(result.peakMemoryBytes),
                Numbers.bytes(result.plannedMemoryBytes))
        }
        Console.result(table.text)
    }

    private func benchmark(_ backbone: Backbone) -> Benchmark {
        let engine = Engine(pool: ThreadPool(threads: engine.threads), arithmetic: engine.math)
        return Benchmark(backbone: backbone, size: size, batch: batch, engine: engine, seconds: seconds)
    }

    private func measure(_ backbone: Backbone) throws -> Benchmark.Result { try benchmark(backbone).measure() }

    private func printProfile(of backbone: Backbone) throws {
        let costs = try benchmark(backbone).profile()
        if json { return Console.result(try JSON.encode(costs)) }
        let total = costs.totalSeconds
        var table = TextTable([
            ("operation", .left), ("pass", .left), ("ms", .right), ("%", .right), ("GFLOP/s", .right), ("GB/s", .right),
        ])
        func add(_ name: String, _ pass: String, _ costs: [OperationCost]) {
            let seconds = costs.totalSeconds
            let operations = costs.reduce(0) { $0 + $1.operations }
            let bytes = costs.reduce(0) { $0 + $1.bytes }
            table.add(
                name, pass, Numbers.fixed(seconds * 1e3, 2), Numbers.fixed(100 * seconds / total, 1),
                operations > 0 ? Numbers.fixed(operations / seconds / 1e9, 1) : "-",
                Numbers.fixed(bytes / seconds / 1e9, 1))
        }
        add("all", "", costs)
        let passes = Dictionary(grouping: costs) { $0.pass + ($0.operations > 0 ? " of convolutions" : "") }
        for (pass, costs) in passes.sorted(by: { $0.value.totalSeconds > $1.value.totalSeconds }) {
            add("all", pass, costs)
        }
        for cost in costs.sorted(by: { $0.seconds > $1.seconds }) { add(cost.name, cost.pass, [cost]) }
        Console.result(table.text)
    }

    /// Measures in a child process that runs this same command for one backbone.
    private func measureApart(_ backbone: Backbone) throws -> Benchmark.Result {
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        child.arguments = [
            "bench", "--backbone", backbone.rawValue, "--size", "\(size)", "--batch", "\(batch)", "--seconds",
            "\(seconds)",
            "--threads", "\(engine.threads)", "--math", engine.math.rawValue, "--json",
        ]
        let output = Pipe()
        child.standardOutput = output
        try child.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        child.waitUntilExit()
        guard child.terminationStatus == 0 else {
            throw Failure(
                .inputOutput,
                "measuring \(backbone.rawValue) ended with status \(child.terminationStatus). Is there enough memory?")
        }
        let results = try JSON.decode(
            [Benchmark.Result].self, from: bytes, name: "the measurement of \(backbone.rawValue)")
        guard let result = results.first else {
            throw Failure(.bug, "the measurement of \(backbone.rawValue) is empty.")
        }
        return result
    }
}

extension [OperationCost] {
    fileprivate var totalSeconds: Double { reduce(0) { $0 + $1.seconds } }
}
