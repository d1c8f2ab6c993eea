import Foundation
import Inputs
import Metrics

/// What a catalog holds, counted: for people and for `--json`.
public struct CatalogReport: Codable, Sendable, Equatable {
    /// Counts of one split.
    public struct SplitCounts: Codable, Sendable, Equatable {
        /// Slices that were read.
        public var read: Int
        /// Of those, in the original's data set.
        public var kept: Int
        /// Of those, dropped by the original's filter: the image in the brain window spans 60 HU or less.
        public var droppedByBrainWindow: Int
        /// Left out because a file is missing, unreadable or unlabelled, by reason.
        public var skipped: [String: Int]
        /// The data set's quirks (`docs/inputs.md`), by name.
        public var quirks: [String: Int]
        /// Slices whose image in Hounsfield units another slice of the split has too, pixel by pixel.
        public var equalImages: Int
        /// Slices by size, `rows x columns`.
        public var sizes: [String: Int]
    }
    /// Counts of one fold.
    public struct FoldCounts: Codable, Sendable, Equatable {
        /// The fold's number, from 0.
        public var fold: Int
        /// Patients in it.
        public var patients: Int
        /// Slices of the original's data set in it.
        public var slices: Int
        /// Slices with each type.
        public var types: [String: Int]
    }

    /// Whether wrapped pixels were repaired.
    public var repairsWrap: Bool
    /// By the split's name.
    public var splits: [String: SplitCounts]
    /// The train split's folds.
    public var folds: [FoldCounts]
}

extension CatalogReport {
    package init(from database: Database) throws {
        repairsWrap = try CatalogSetting.value(of: "repairsWrap", in: database) == "true"
        splits = [:]
        for split in Split.allCases { splits[split.rawValue] = try SplitCounts(split, in: database) }
        let numbers: [Int] = try database.rows(
            "SELECT DISTINCT fold FROM slice WHERE fold IS NOT NULL ORDER BY fold"
        ) { try $0[0] }
        folds = try numbers.map { try FoldCounts($0, in: database) }
    }

    /// The report as lines for a terminal.
    public var text: String {
        var lines: [String] = []
        for split in Split.allCases {
            guard let counts = splits[split.rawValue], counts.read > 0 || !counts.skipped.isEmpty else { continue }
            lines.append("\(split.rawValue): \(counts.read) slices read, \(counts.kept) kept")
            lines.append(
                "  outside the head or wrapped (brain window spans 60 HU or less): \(counts.droppedByBrainWindow)")
            for (reason, count) in counts.skipped.sorted(by: { $0.key < $1.key }) {
                lines.append("  skipped, \(reason): \(count)")
            }
            for (quirk, count) in counts.quirks.sorted(by: { $0.key < $1.key }) where count > 0 {
                lines.append("  \(quirk): \(count)")
            }
            if counts.equalImages > 0 {
                lines.append("  slices with the same pixels as another: \(counts.equalImages)")
            }
            let sizes = counts.sizes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            lines.append("  sizes: " + sizes.map { "\($0.key) (\($0.value))" }.joined(separator: ", "))
        }
        lines.append("wrapped pixels are \(repairsWrap ? "repaired" : "left as they are, as in the original")")
        for fold in folds {
            let types = HemorrhageType.allCases.map { "\($0.rawValue) \(fold.types[$0.rawValue, default: 0])" }
            lines.append(
                "fold \(fold.fold): \(fold.patients) patients, \(fold.slices) slices; " + types.joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }
}

extension CatalogReport.SplitCounts {
    /// Name and condition of each quirk; a name is what a person reads in the report.
    private static let conditions: [(String, String)] = [
        ("identifiers that are not valid UIDs", "sopInstanceUID GLOB '*[^0-9.]*'"),
        ("listed twice in the label file", "isRepeated"),
        ("no window in the header", "windowCenter IS NULL OR windowWidth IS NULL"),
        (
            "pixels 12-bit unsigned, intercept -1024",
            "bitsStored = 12 AND pixelRepresentation = 0 AND rescaleIntercept = -1024"
        ),
        (
            "pixels 16-bit signed, intercept -1024",
            "bitsStored = 16 AND pixelRepresentation = 1 AND rescaleIntercept = -1024"
        ),
        ("pixels 16-bit signed, intercept 0", "bitsStored = 16 AND pixelRepresentation = 1 AND rescaleIntercept = 0"),
        ("pixels wrapped around (12-bit, intercept near 0)", "isWrapped"),
        ("pixels wrapped around, yet kept", "isWrapped AND isKept"),
        ("window with several values", "instr(windowCenterText, char(92)) > 0 OR instr(windowWidthText, char(92)) > 0"),
        ("window padded with zeros", "windowCenterText GLOB '0[0-9]*' OR windowWidthText GLOB '0[0-9]*'"),
        (
            "window fractional",
            "CAST(windowCenterText AS REAL) <> windowCenter OR CAST(windowWidthText AS REAL) <> windowWidth"
        ),
    ]

    fileprivate init(_ split: Split, in database: Database) throws {
        func counts(_ sql: String) throws -> [String: Int] {
            let rows: [(String, Int)] = try database.rows(sql, [split]) { (try $0[0], try $0[1]) }
            return Dictionary(rows, uniquingKeysWith: +)
        }
        func single(_ sql: String) throws -> Int { try database.value(sql, [split]) ?? 0 }

        // All in one pass over the table, which is a gigabyte for the competition.
        let sums = (["1", "isKept"] + Self.conditions.map(\.1)).map { "COALESCE(SUM(\($0)), 0)" }
        let sql = "SELECT \(sums.joined(separator: ", ")) FROM slice WHERE split = ?"
        let counted: [[Int]] = try database.rows(sql, [split]) { row in try sums.indices.map { try row[$0] } }
        let count = counted.first ?? sums.map { _ in 0 }
        read = count[0]
        kept = count[1]
        droppedByBrainWindow = read - kept
        skipped = try counts("SELECT reason, COUNT(*) FROM skipped WHERE split = ? GROUP BY reason")
        sizes = try counts("SELECT rows || ' x ' || columns, COUNT(*) FROM slice WHERE split = ? GROUP BY 1")
        quirks = [:]
        for (index, condition) in Self.conditions.enumerated() { quirks[condition.0] = count[2 + index] }
        let found = try counts("SELECT name, COUNT(*) FROM quirk WHERE split = ? GROUP BY name")
        quirks.merge(found) { $1 }
        quirks["patients with several studies"] = try single(
            """
            SELECT COUNT(*) FROM (SELECT patientID FROM slice WHERE split = ?
            GROUP BY patientID HAVING COUNT(DISTINCT studyInstanceUID) > 1)
            """)
        equalImages = try single(
            """
            SELECT COALESCE(SUM(n), 0) FROM (SELECT COUNT(*) AS n FROM slice WHERE split = ?
            GROUP BY hounsfieldSHA256 HAVING n > 1)
            """)
        quirks["slices that share their position within a series"] = try single(
            """
            SELECT COALESCE(SUM(n), 0) FROM (SELECT COUNT(*) AS n FROM slice WHERE split = ?
            GROUP BY seriesInstanceUID, position3 HAVING n > 1)
            """)
    }
}

extension CatalogReport.FoldCounts {
    fileprivate init(_ fold: Int, in database: Database) throws {
        self.fold = fold
        patients = try database.value("SELECT COUNT(DISTINCT patientID) FROM slice WHERE fold = ?", [fold]) ?? 0
        slices = try database.value("SELECT COUNT(*) FROM slice WHERE fold = ?", [fold]) ?? 0
        types = [:]
        for type in HemorrhageType.allCases {
            // Labels are words joined with spaces: look for the whole word.
            let sql = "SELECT COUNT(*) FROM slice WHERE fold = ? AND instr(' ' || labels || ' ', ?) > 0"
            types[type.rawValue] = try database.value(sql, [fold, " \(type.rawValue) "]) ?? 0
        }
    }
}
