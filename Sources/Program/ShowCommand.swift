import ArgumentParser
import Basics
import Catalog
import Foundation
import Inputs
import Nets
import Repro

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Draw slices as a PNG: the three windows side by side, and in color as the networks see them.",
        discussion: """
            A slice is an ID of the catalog in the work directory, or a DICOM file; a folder stands for all that are in it. A whole study comes in the order of its series and \
            positions, one slice a row. Captions have ID, position, labels and fold.

            repro show ID_000039fa0 --work work --out slice.png
            repro show --study ID_8d20b65fc8 --work work --size 192 --out study.png
            repro show my-slices/01.dcm my-slices/02.dcm --out two.png
            """)

    @Argument(help: "IDs in the catalog, DICOM files, or folders of them.", completion: .file())
    var slices: [String] = []
    @Option(help: ArgumentHelp("All slices of this study (StudyInstanceUID).", valueName: "uid"))
    var study: String?
    @Option(help: ArgumentHelp("The work directory with catalog.sqlite.", valueName: "dir"), completion: .directory)
    var work: String?
    @Option(help: ArgumentHelp("Rows and columns of a panel.", valueName: "px"))
    var size = 256
    @Flag(help: "Undo the wrap-around of 12-bit slices. Default: as the catalog was made; for files, not.")
    var repairWrap = false
    @Option(help: ArgumentHelp("The picture to write; - for standard output.", valueName: "png"), completion: .file())
    var out: String
    @OptionGroup var output: OutputOptions
    @Flag(help: "Print what was drawn as JSON.")
    var json = false

    /// What was drawn.
    private struct Drawn: Encodable {
        var picture: String
        var width: Int
        var height: Int
        /// From top to bottom.
        var captions: [String]
    }

    /// A hundred rows of 256 pixels are a picture of 100 MB in memory.
    private static let mostSlices = 500

    func validate() throws {
        guard slices.isEmpty != (study == nil) else { throw ValidationError("Give either slices or --study.") }
        guard work != nil || study == nil else {
            throw ValidationError("--study needs --work, the catalog to look in.")
        }
        guard (16...1024).contains(size) else { throw ValidationError("--size: expected 16 to 1024.") }
        guard slices.count <= Self.mostSlices else {
            throw ValidationError("At most \(Self.mostSlices) slices fit a picture.")
        }
    }

    func run() throws {
        let catalog = work.map { SliceCatalog(path: $0 + "/catalog.sqlite") }
        let out = try output.destination(
            out, .picture, inputs: slices + [catalog?.path] + (catalog.map(files) ?? []), json: json)
        let pictures =
            try study.map { try picturesOfStudy($0, catalog) } ?? slices.flatMap { try picturesOf($0, catalog) }
        let sheet = SlicePicture.sheet(pictures, size: size)
        try out.write(try sheet.png())
        if out.isStandardOutput { return }
        let drawn = Drawn(
            picture: out.path, width: sheet.width, height: sheet.height, captions: pictures.map(\.caption))
        Console.result(
            json
                ? try JSON.encode(drawn)
                : drawn.captions.joined(separator: "\n") + "\n\(out.path): \(drawn.width) x \(drawn.height) pixels")
    }

    /// The files of the slices that are drawn from a catalog.
    private func files(_ catalog: SliceCatalog) throws -> [String] {
        let root = try catalog.inputSettings().root
        let records =
            try study.map(catalog.records(ofStudy:)) ?? slices.compactMap { try catalog.record(ofSlice: $0) }
        return records.map { Self.path($0, below: root) }
    }

    private static func path(_ record: SliceRecord, below root: String) -> String {
        record.path.hasPrefix("/") ? record.path : root + "/" + record.path
    }

    private func picturesOfStudy(_ study: String, _ catalog: SliceCatalog?) throws -> [SlicePicture] {
        guard let catalog else { return [] }
        let records = try catalog.records(ofStudy: study)
        guard !records.isEmpty else {
            throw Failure(
                .inputMissing,
                "\(study): no slice of this study in \(catalog.path). Look for it: sqlite3 \(catalog.path) \"SELECT studyInstanceUID, COUNT(*) FROM slice GROUP BY 1\"."
            )
        }
        return try records.prefix(Self.mostSlices).map { try picture($0, catalog) }
    }

    /// A slice by its ID or its file, or the slices that a folder has.
    private func picturesOf(_ name: String, _ catalog: SliceCatalog?) throws -> [SlicePicture] {
        guard isFolder(name), try catalog?.record(ofSlice: name) == nil else { return [try picture(name, catalog)] }
        var (pictures, others) = ([SlicePicture](), 0)
        try SliceFolder.forEach(
            in: name,
            passOver: { file in
                others += 1
                if others <= 20 { Console.log("passed over: \(file.path): \(file.reason)") }
            },
            { _, path in
                guard pictures.count < Self.mostSlices else {
                    throw ValidationError("\(name): more than the \(Self.mostSlices) slices that fit a picture.")
                }
                do { pictures.append(try picture(name + "/" + path, nil)) } catch let error as SliceError {
                    Console.log("not drawn: \(error)")
                }
            })
        if others > 20 { Console.log("and \(others - 20) more passed over") }
        guard !pictures.isEmpty else { throw Failure(.badInput, "\(name): no slice here that can be drawn.") }
        return pictures
    }

    /// A slice by its ID, if there is a catalog that has it, or else by its file.
    private func picture(_ name: String, _ catalog: SliceCatalog?) throws -> SlicePicture {
        if let catalog, let record = try catalog.record(ofSlice: name) { return try picture(record, catalog) }
        guard FileManager.default.fileExists(atPath: name) else {
            let place = catalog.map { "no slice of \($0.path) and " } ?? ""
            throw Failure(
                .inputMissing,
                "\(name): \(place)no file. Give IDs with --work, the directory of their catalog, or paths of DICOM files."
            )
        }
        return SlicePicture(
            image: HounsfieldImage(try readImage(at: name), repairingWrap: repairWrap),
            caption: fileName(name))
    }

    private func picture(_ record: SliceRecord, _ catalog: SliceCatalog) throws -> SlicePicture {
        let settings = try catalog.inputSettings()
        let caption = [
            record.id, "z \(Numbers.fixed(record.position3, 1)) mm", record.labels.isEmpty ? "no type" : record.labels,
            record.fold.map { "fold \($0)" } ?? record.split.rawValue, record.isKept ? nil : "dropped",
        ].compactMap { $0 }
        return SlicePicture(
            image: HounsfieldImage(
                try readImage(at: Self.path(record, below: settings.root)),
                repairingWrap: repairWrap || settings.repairsWrap),
            caption: caption.joined(separator: ", "))
    }
}
