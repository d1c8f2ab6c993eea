import Foundation

/// What a run was made on, for its record; none of it may change a result.
package struct Machine: Sendable, Codable, Equatable {
    package var processor: String
    package var processors: Int
    package var memoryBytes: Int
    package var system: String
    package var kernel: String

    package static var current: Machine {
        var names = utsname()
        uname(&names)
        return Machine(
            processor: field("model name", in: "/proc/cpuinfo", separator: ":") ?? text(&names.machine),
            processors: availableProcessors, memoryBytes: Int(ProcessInfo.processInfo.physicalMemory),
            system: field("PRETTY_NAME", in: "/etc/os-release", separator: "=") ?? text(&names.sysname),
            kernel: text(&names.release))
    }

    /// How many processors this process may run on: fewer than the machine has inside a container or under `taskset`.
    package static var availableProcessors: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// The most memory that this process has held so far, in bytes (`VmHWM`).
    package static var peakMemoryBytes: Int {
        guard let text = field("VmHWM", in: "/proc/self/status", separator: ":") else { return 0 }
        return (Int(text.prefix { $0 != " " }) ?? 0) * 1024
    }

    /// Memory that new work can have, in bytes: what the system can free without swapping, and no more than a container's share.
    package static var availableMemoryBytes: Int {
        let system = field("MemAvailable", in: "/proc/meminfo", separator: ":").flatMap { Int($0.prefix { $0 != " " }) }
        func number(_ file: String) -> Int? {
            (try? String(contentsOfFile: "/sys/fs/cgroup/\(file)", encoding: .utf8)).flatMap {
                Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }
        // Version 2 of control groups, and version 1.
        let limits = [number("memory.max"), number("memory/memory.limit_in_bytes")].compactMap { $0 }
        return
            (limits + [addressSpaceLeft].compactMap { $0 } + [
                system.map { $0 * 1024 } ?? Int(ProcessInfo.processInfo.physicalMemory)
            ]).min() ?? 0
    }

    /// Bytes that the shell's limit of virtual memory leaves; nil without a limit.
    private static var addressSpaceLeft: Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else {
            return nil
        }
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first
        return max(0, Int(limit.rlim_cur) - (pages.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// Bytes free for this user on the file system that holds `path`.
    package static func freeBytes(at path: String) -> Int? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: path)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
    }

    private static func field(_ key: String, in file: String, separator: Character) -> String? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: separator, maxSplits: 1)
            guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == key else { continue }
            return parts[1].trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
        }
        return nil
    }

    /// A C string in a fixed-size array, as `uname(2)` fills it.
    private static func text<Characters>(_ characters: inout Characters) -> String {
        withUnsafeBytes(of: &characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
