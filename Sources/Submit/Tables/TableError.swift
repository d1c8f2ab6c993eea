import Basics

/// One thing that is wrong with a table, with its place.
public struct TableProblem: Sendable, Equatable, Codable {
    /// What kind of fault it is; the raw value is its name in machine-readable reports.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The first line is not what the format asks for.
        case header
        /// A line does not consist of the expected fields.
        case malformedRow = "malformed-row"
        /// A row's ID is not `ID_<slice>_<type>`.
        case malformedID = "malformed-id"
        /// A row's ID ends in no type of hemorrhage.
        case unknownType = "unknown-type"
        /// A label that is no number, or, where labels are binary, neither 0 nor 1.
        case malformedValue = "malformed-value"
        /// NaN, an infinity, or nothing where a number is due.
        case notFinite = "not-finite"
        /// A row that is there already, with the same value.
        case duplicate
        /// A row that is there already, with another value.
        case contradiction
        /// A slice of which some of the six rows are missing.
        case incompleteSlice = "incomplete-slice"
        /// A slice that is expected and not there.
        case missingSlice = "missing-slice"
        /// A slice that is there and not expected.
        case extraSlice = "extra-slice"
        /// A value that is not a probability from 0 to 1.
        case outOfRange = "out-of-range"
        /// A type for which every slice has the same value.
        case constantColumn = "constant-column"
        /// The whole table is the sample submission.
        case equalsSample = "equals-sample"
        /// An argument that does not fit the tables: weights, a clip.
        case argument
    }

    /// What kind of fault it is.
    public let kind: Kind
    /// The line of the file, from 1; nil where the problem is an absence or concerns the whole table.
    public let line: Int?
    /// What is wrong there and what was expected, without the line.
    public let message: String

    init(_ kind: Kind, line: Int? = nil, _ message: String) {
        self.kind = kind
        self.line = line
        self.message = message
    }
}

/// Why a table was refused: every problem is counted, and the first ones are kept.
public struct TableError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The table's name in messages, as a rule its path.
    public let name: String
    /// The first problems, at most ``shownProblems``, in order of lines; there is at least one.
    public let problems: [TableProblem]
    /// How many problems there are in all.
    public let total: Int
    /// What they have in common and what to do; nil where the problems say it.
    public let advice: String?

    /// How many problems an error keeps at most.
    public static let shownProblems = 20

    init(name: String, _ log: ProblemLog, advice: String? = nil) {
        self.name = name
        self.advice = advice
        problems = Array(log.problems.prefix(Self.shownProblems))
        total = log.total
    }

    init(name: String, _ kind: TableProblem.Kind, line: Int? = nil, _ message: String) {
        self.name = name
        problems = [TableProblem(kind, line: line, message)]
        total = 1
        advice = nil
    }

    /// The table's name and its problems, one a line.
    public var description: String {
        let lines = problems.map { problem in (problem.line.map { "line \($0): " } ?? "") + problem.message }
        let end = advice.map { [$0] } ?? []
        if total == 1, let only = lines.first { return (["\(name): \(only)"] + end).joined(separator: "\n  ") }
        let more = total > lines.count ? ["... and \(total - lines.count) more"] : []
        return (["\(name): \(total) problems"] + lines + more + end).joined(separator: "\n  ")
    }
}

/// Collects problems: counts all of them, keeps the first of each kind.
struct ProblemLog: Sendable {
    /// How many problems of each kind are kept; the messages of the rest are never made.
    private let kept: Int
    private(set) var problems: [TableProblem] = []
    private(set) var counts: [TableProblem.Kind: Int] = [:]

    init(keeping kept: Int = TableError.shownProblems) { self.kept = kept }

    var total: Int { counts.values.reduce(0, +) }
    var isEmpty: Bool { counts.isEmpty }

    mutating func add(_ kind: TableProblem.Kind, line: Int? = nil, _ message: @autoclosure () -> String) {
        let count = counts[kind, default: 0]
        counts[kind] = count + 1
        if count < kept { problems.append(TableProblem(kind, line: line, message())) }
    }

    mutating func addOutOfRange(_ value: Double, line: Int, _ id: @autoclosure () -> String) {
        add(.outOfRange, line: line, "the value \(shortest(value)) of \(id()) is not a probability from 0 to 1")
    }

    mutating func addDamagedUTF16(line: Int) {
        add(
            .malformedRow, line: line, "the file is UTF-16 and breaks off or is damaged here: copy or download it again"
        )
    }

    /// Adds the problems of a part of the file, whose lines count from 0 at `firstLine`.
    mutating func merge(_ part: ProblemLog, linesFrom firstLine: Int) {
        var room: [TableProblem.Kind: Int] = [:]
        for kind in part.counts.keys { room[kind] = kept - min(kept, counts[kind, default: 0]) }
        for problem in part.problems {
            guard let left = room[problem.kind], left > 0 else { continue }
            room[problem.kind] = left - 1
            problems.append(TableProblem(problem.kind, line: problem.line.map { $0 + firstLine }, problem.message))
        }
        counts.merge(part.counts, uniquingKeysWith: +)
    }

    /// Puts the problems in the order of their lines; those without a line come last, in the order in which they were found.
    mutating func sortByLine() {
        problems = problems.enumerated()
            .sorted { ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset) }
            .map(\.element)
    }
}

/// The beginning of a text as it can be shown: what is no printable character becomes `?`.
func printable(_ text: String) -> String {
    String(text.prefix(40).map { $0.unicodeScalars.allSatisfy(isPrintable) ? $0 : "?" })
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    // U+FFFD stands for bytes that are no UTF-8.
    ![.control, .format, .unassigned, .privateUse].contains(scalar.properties.generalCategory) && scalar != "\u{FFFD}"
}

/// "a, b, c and 17 more": the first few names of a long list.
func listing(_ names: some Collection<String>, first: Int = 5) -> String {
    let shown = names.prefix(first).joined(separator: ", ")
    return names.count > first ? "\(shown) and \(names.count - first) more" : shown
}

extension TableError: DescribedError {
    package var status: ExitStatus { .badInput }
}
