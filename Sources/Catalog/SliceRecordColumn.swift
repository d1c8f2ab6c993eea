import Basics
import Inputs

/// A column of the catalog's table `slice`: its name, its type, and where a record has its value.
package struct SliceRecordColumn: Sendable {
    package let name: String
    package let type: String
    package let isOptional: Bool
    /// The value as SQLite and as the catalog's hash take it.
    package let value: @Sendable (SliceRecord) -> any ColumnValue
    /// Gives a record the value that a row has in a column.
    fileprivate let read: @Sendable (inout SliceRecord, Row, Int) throws -> Void

    fileprivate init<Value: ColumnValue>(_ name: String, _ path: WritableKeyPath<SliceRecord, Value> & Sendable) {
        self.name = name
        type = Value.declaration
        isOptional = Value.isOptional
        value = { $0[keyPath: path] }
        read = { record, row, column in record[keyPath: path] = try row[column] }
    }
}

/// A value that a column of the table can have.
package protocol ColumnValue: DatabaseValue, CanonicalValue, SendableMetatype {
    static var isOptional: Bool { get }
}

extension ColumnValue {
    package static var isOptional: Bool { false }
}

extension String: ColumnValue {}
extension Int: ColumnValue {}
extension Double: ColumnValue {}
extension Bool: ColumnValue {}
extension Optional: ColumnValue where Wrapped: ColumnValue {
    package static var isOptional: Bool { true }
}
extension Split: ColumnValue {
    package static var declaration: String { String.declaration }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        rawValue.bind(to: statement, at: place)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        guard let name = String(from: statement, at: column) else { return nil }
        self.init(rawValue: name)
    }
    package func append(to form: inout CanonicalForm) { form.append(rawValue) }
}

extension SliceRecord {
    /// All columns in the table's order, which is also that of the values in the catalog's hash.
    package static let columns: [SliceRecordColumn] = {
        var columns: [SliceRecordColumn] = []
        func add<Value: ColumnValue>(_ name: String, _ path: WritableKeyPath<SliceRecord, Value> & Sendable) {
            columns.append(SliceRecordColumn(name, path))
        }
        add("split", \.split)
        add("id", \.id)
        add("path", \.path)
        add("sopInstanceUID", \.sopInstanceUID)
        add("modality", \.modality)
        add("patientID", \.patientID)
        add("studyInstanceUID", \.studyInstanceUID)
        add("seriesInstanceUID", \.seriesInstanceUID)
        add("studyID", \.studyID)
        add("position1", \.position1)
        add("position2", \.position2)
        add("position3", \.position3)
        add("imageOrientation", \.imageOrientation)
        add("samplesPerPixel", \.samplesPerPixel)
        add("photometricInterpretation", \.photometricInterpretation)
        add("rows", \.rows)
        add("columns", \.columns)
        add("pixelSpacing", \.pixelSpacing)
        add("bitsAllocated", \.bitsAllocated)
        add("bitsStored", \.bitsStored)
        add("highBit", \.highBit)
        add("pixelRepresentation", \.pixelRepresentation)
        add("windowCenterText", \.windowCenterText)
        add("windowWidthText", \.windowWidthText)
        add("windowCenter", \.windowCenter)
        add("windowWidth", \.windowWidth)
        add("rescaleIntercept", \.rescaleIntercept)
        add("rescaleSlope", \.rescaleSlope)
        add("transferSyntax", \.transferSyntax)
        add("rawMax", \.rawMax)
        add("rawMin", \.rawMin)
        add("rawMean", \.rawMean)
        add("rawSpread", \.rawSpread)
        add("doctorMax", \.doctorMax)
        add("doctorMin", \.doctorMin)
        add("doctorMean", \.doctorMean)
        add("doctorSpread", \.doctorSpread)
        add("customMax", \.customMax)
        add("customMin", \.customMin)
        add("customMean", \.customMean)
        add("customSpread", \.customSpread)
        add("hounsfieldSHA256", \.hounsfieldSHA256)
        add("isWrapped", \.isWrapped)
        add("labels", \.labels)
        add("isRepeated", \.isRepeated)
        add("isKept", \.isKept)
        add("positionOrd", \.positionOrd)
        add("leftLabel", \.leftLabel)
        add("rightLabel", \.rightLabel)
        add("fold", \.fold)
        return columns
    }()

    /// The record as the catalog's hash covers it: its values, without the columns' names.
    package var canonicalForm: CanonicalForm { CanonicalForm(Self.columns.map { $0.value(self) }) }

    /// The columns of a query whose rows ``init(_:)`` takes; the condition follows.
    static let query = "SELECT \(columns.map(\.name).joined(separator: ", ")) FROM slice "

    /// A record of a row of ``query``.
    init(_ row: Row) throws {
        self = .empty
        for (index, column) in Self.columns.enumerated() { try column.read(&self, row, index) }
    }
}
