import Inputs

/// What the audit has to know of a slice: the columns of the catalog's table `slice` that it reads.
package struct AuditedSlice: Sendable, Equatable {
    package var split: Split
    package var id: String
    package var patientID: String
    package var studyInstanceUID: String
    /// The image's hash: equal for equal pixels.
    package var hounsfieldSHA256: String
    /// The slice's types, joined with spaces.
    package var labels: String
    package var isRepeated: Bool
    package var isWrapped: Bool
    /// Whether every pixel has the same value.
    package var isConstant: Bool
    /// Whether the slice is in the data set that the networks see.
    package var isKept: Bool
    package var fold: Int?

    package init(
        split: Split, id: String, patientID: String, studyInstanceUID: String, hounsfieldSHA256: String, labels: String,
        isRepeated: Bool, isWrapped: Bool, isConstant: Bool, isKept: Bool, fold: Int? = nil
    ) {
        self.split = split
        self.id = id
        self.patientID = patientID
        self.studyInstanceUID = studyInstanceUID
        self.hounsfieldSHA256 = hounsfieldSHA256
        self.labels = labels
        self.isRepeated = isRepeated
        self.isWrapped = isWrapped
        self.isConstant = isConstant
        self.isKept = isKept
        self.fold = fold
    }

    /// The types without order and repetition.
    package var types: Set<String> { Set(labels.split(separator: " ").map(String.init)) }
}

extension SliceCatalog {
    /// The slices of both splits as the audit needs them, sorted by split and ID.
    package func auditedSlices() throws -> [AuditedSlice] {
        try read { database in
            let sql = """
                SELECT split, id, patientID, studyInstanceUID, hounsfieldSHA256, labels, isRepeated, isWrapped,
                rawSpread = 0 AS isConstant, isKept, fold
                FROM slice ORDER BY split, id
                """
            return try database.rows(sql) { row in
                AuditedSlice(
                    split: try row[0], id: try row[1], patientID: try row[2], studyInstanceUID: try row[3],
                    hounsfieldSHA256: try row[4], labels: try row[5], isRepeated: try row[6], isWrapped: try row[7],
                    isConstant: try row[8], isKept: try row[9], fold: try row[10])
            }
        }
    }
}
