import Inputs
import Metrics

/// What the demo competition consists of, before anything is drawn: a pure function of its settings.
package struct DemoSettings: Sendable, Equatable {
    /// Patients of the training set; the test set has a fifth of that on top.
    package var patients = 60
    /// Pixels on the longer side of most slices.
    package var size = 96
    package var seed: UInt64 = 2019
    /// Changes how long it takes and nothing else.
    package var threads = 1

    package init(patients: Int = 60, size: Int = 96, seed: UInt64 = 2019, threads: Int = 1) {
        self.patients = patients
        self.size = size
        self.seed = seed
        self.threads = threads
    }

    package static let smallestSize = 32
    package static let fewestPatients = 10
    /// About as many as the competition has.
    package static let mostPatients = 20_000
}

/// One slice to draw.
package struct DemoSlice: Sendable {
    package var split: Split
    package var header: SliceHeader
    package var head: DemoHead
    /// Height of the cut: 0 base of the skull, 1 vertex, above that air.
    package var height: Double
    package var lesions: [DemoLesion]
    package var format: DemoPixelFormat
    package var noiseSeed: UInt64
    /// Whether the file is cut off, as `ID_6431af929` of the competition is.
    package var isTruncated = false

    package var id: String { header.sopInstanceUID }

    /// The slice's labels: each type that can be seen in it, and `any` if there is one.
    package var labels: Set<HemorrhageType> {
        let seen = Set(lesions.filter { $0.strength(at: height) != nil && height < 1 }.map(\.type))
        return seen.isEmpty ? [] : seen.union([.any])
    }

    package func draw() -> DICOMSlice {
        let section = DemoHeadSection(head: head, height: height, lesions: lesions)
        let image = DemoImage.render(section, rows: header.rows, columns: header.columns, seed: noiseSeed)
        return DICOMSlice(header: header, pixels: image.map(format.stored))
    }
}

/// Patients, studies and slices with their bleedings and with the real data set's quirks.
package struct DemoPlan: Sendable {
    /// The slice that is truncated in the competition's training set.
    package static let truncatedID = "ID_6431af929"

    package private(set) var slices: [DemoSlice] = []
    /// Slices whose rows are in the label file twice.
    package private(set) var repeatedIDs: [String] = []

    private let settings: DemoSettings
    private var random: DemoRandom
    private var usedIDs: Set<String> = [truncatedID]
    private var studyCount = 0

    package init(_ settings: DemoSettings) {
        self.settings = settings
        random = DemoRandom(seed: settings.seed)
        addPatients(settings.patients, to: .train)
        addPatients(settings.patients / 5, to: .test)
        addQuirksOfSingleSlices()
    }

    /// Slightly more than half of the patients bleed; each type comes first for every fifth of these, and half have
    /// a second one, each type as often as the others.
    private mutating func addPatients(_ count: Int, to split: Split) {
        let types = HemorrhageType.allCases.filter { $0 != .any }
        var bleedings: [[HemorrhageType]] = (0..<count).map { patient in
            let isBleeding = patient * 11 / 20 != (patient + 1) * 11 / 20
            guard isBleeding else { return [] }
            let turn = patient * 11 / 20
            let first = types[turn % 5]
            return turn % 2 == 0 ? [first] : [first, types[(turn + 1 + turn / 10 % 4) % 5]]
        }
        random.shuffle(&bleedings)
        for bleeding in bleedings { addPatient(bleeding, to: split) }
    }

    private mutating func addPatient(_ types: [HemorrhageType], to split: Split) {
        let patientID = newID(digits: 8)
        let head = DemoHead(seed: random.next())
        let lesions = types.map { DemoLesion($0, random: &random) }
        for study in 0..<(random.chance(0.2) ? 2 : 1) {
            // By the second study a bleeding has shrunk.
            let current = lesions.map { lesion in
                var lesion = lesion
                if study == 1 { lesion.size *= 0.9 }
                return lesion
            }
            addStudy(patientID: patientID, head: head, lesions: current, to: split)
        }
    }

    private mutating func addStudy(patientID: String, head: DemoHead, lesions: [DemoLesion], to split: Split) {
        var header = SliceHeader()
        header.patientID = patientID
        header.studyInstanceUID = newID(digits: 10)
        header.seriesInstanceUID = newID(digits: 10)
        let format = chooseFormat()
        (header.rescaleIntercept, header.bitsStored, header.pixelRepresentation) = format.header
        header.highBit = header.bitsStored - 1
        (header.windowCenterText, header.windowWidthText) = Self.windows[studyCount % Self.windows.count]
        (header.rows, header.columns) = chooseSize()
        let spacing = (2200 / Double(max(header.rows, header.columns))).rounded() / 10
        header.pixelSpacing = [spacing, spacing]
        header.imageOrientation = [1, 0, 0, 0, 0.968148, -0.25038]
        let count = 5 + random.integer(below: 3)
        // One study in four goes on above the head, as real ones do.
        let isLong = studyCount % 4 == 3
        let start = (random.uniform(-400, 400)).rounded() / 8
        for index in 0..<(count + (isLong ? 1 : 0)) {
            header.sopInstanceUID = newID(digits: 9)
            let height = index == count ? 1.2 : (Double(index) + random.uniform(0.35, 0.65)) / Double(count)
            header.imagePosition = [-110, -110, start + 5 * Double(index)]
            slices.append(
                DemoSlice(
                    split: split, header: header, head: head, height: height, lesions: lesions, format: format,
                    noiseSeed: random.next()))
        }
        studyCount += 1
    }

    /// Center and width as the competition's files write them: plain, several padded values, fractional.
    private static let windows = [("40", "80"), ("00036\\00036", "00080\\00080"), ("35.7", "135.0"), ("30", "80")]

    /// One study in twelve has wrapped pixels (and goes on above the head, so that the filter meets both in one); the other formats take turns, out of step with ``windows``.
    private func chooseFormat() -> DemoPixelFormat {
        if studyCount % 12 == 7 { return .wrapped12 }
        return [.signed16Offset, .unsigned12, .signed16][studyCount % 3]
    }

    /// Most slices are square and of one size; one study in ten is smaller, one in ten is not square.
    private func chooseSize() -> (rows: Int, columns: Int) {
        let size = settings.size
        switch studyCount % 10 {
        case 4: return (size * 5 / 6, size * 5 / 6)
        case 8: return (size, size * 7 / 8)
        default: return (size, size)
        }
    }

    /// A truncated file, rows that are there twice and two slices at one position.
    private mutating func addQuirksOfSingleSlices() {
        let train = slices.indices.filter { slices[$0].split == .train }
        let truncated = train[train.count / 3]
        slices[truncated].header.sopInstanceUID = Self.truncatedID
        slices[truncated].isTruncated = true
        if let bleeding = train.last(where: { !slices[$0].labels.isEmpty && !slices[$0].isTruncated }) {
            repeatedIDs.append(slices[bleeding].id)
        }
        // The first study is never the truncated slice's: its second slice gets the first one's position.
        slices[1].header.imagePosition = slices[0].header.imagePosition
    }

    private mutating func newID(digits: Int) -> String {
        while true {
            let id = random.identifier(digits: digits)
            if usedIDs.insert(id).inserted { return id }
        }
    }
}
