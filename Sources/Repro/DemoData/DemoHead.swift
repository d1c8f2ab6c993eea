import Metrics

/// A patient's head: its shape and its folds, in coordinates of its own.
///
/// u to the patient's left (right in the image), v to the back (down), both 1 at the skin; height 0 at the base of the skull, 1
/// at the vertex. Values are Hounsfield units as a radiologist expects them: skull about 1000, grey matter 38, white matter 29,
/// cerebrospinal fluid 8, fat -60, air -1000.
package struct DemoHead: Sendable {
    package let seed: UInt64
    /// Half-axes at the widest height as parts of half the image.
    package let width: Double
    package let length: Double
    /// Cosine and sine of the head's turn in the scanner.
    package let turn: (cosine: Double, sine: Double)
    /// Of the centre, as parts of half the image.
    package let offset: (x: Double, y: Double)
    package let ventricleSize: Double

    package init(seed: UInt64) {
        var random = DemoRandom(seed: seed)
        self.seed = seed
        width = random.uniform(0.7, 0.78)
        length = random.uniform(0.85, 0.92)
        let m = random.uniform(-0.06, 0.06)
        turn = ((1 - m * m) / (1 + m * m), 2 * m / (1 + m * m))
        offset = (random.uniform(-0.05, 0.05), random.uniform(-0.04, 0.02))
        ventricleSize = random.uniform(0.9, 1.25)
    }

    /// The head's size at a height relative to its widest, nil above the vertex.
    package static func scale(at height: Double) -> Double? {
        let distance = (height - 0.42) / 0.75
        return height <= 1.05 ? (1 - distance * distance).squareRoot() : nil
    }
}

/// A cut through a head at one height: maps a point of the image to Hounsfield units.
package struct DemoHeadSection {
    private let head: DemoHead
    private let height: Double
    private let scale: Double?
    private let lesions: [DemoLesionSection]
    /// How far a bleeding pushes the middle of the brain to the other side.
    private let shift: Double
    private let folds: SpatialNoise
    private let texture: SpatialNoise
    private let skull: Double

    package init(head: DemoHead, height: Double, lesions: [DemoLesion]) {
        self.head = head
        self.height = height
        scale = DemoHead.scale(at: height)
        self.lesions = lesions.compactMap { lesion in
            lesion.strength(at: height).map { DemoLesionSection(lesion: lesion, strength: $0) }
        }
        shift = self.lesions.reduce(0) { shift, section in
            switch section.lesion.type {
            case .epidural, .subdural, .intraparenchymal: shift - 0.05 * section.lesion.side * section.strength
            default: shift
            }
        }
        folds = SpatialNoise(seed: DemoRandom.mix(head.seed ^ 1))
        texture = SpatialNoise(seed: DemoRandom.mix(head.seed ^ 2))
        // Near the vertex the cut goes through the skull at a slant and shows it thicker.
        skull = 0.865 - 0.25 * max(0, height - 0.75)
    }

    /// - Parameters:
    ///   - x: -1 ... 1 from left to right of the image.
    ///   - y: -1 ... 1 from top to bottom.
    package func hounsfield(x: Double, y: Double) -> Double {
        guard let scale else { return surroundings(x: x, y: y) }
        let (dx, dy) = (x - head.offset.x, y - head.offset.y)
        let u = (dx * head.turn.cosine + dy * head.turn.sine) / (head.width * scale)
        let v = (dy * head.turn.cosine - dx * head.turn.sine) / (head.length * scale)
        let irregular = texture.value(u * 2, v * 2, height * 2) - 0.5
        let radius = (u * u + v * v).squareRoot() * (1 + 0.03 * irregular)
        if radius > 1 { return surroundings(x: x, y: y) }
        if radius > 0.955 { return radius > 0.985 ? 30 : -60 }
        if radius > skull { return bone(radius) }
        return inside(u: u, v: v, radius: radius, irregular: irregular)
    }

    /// Air, and the rest that the head lies in: foam, far below the brain window.
    private func surroundings(x: Double, y: Double) -> Double {
        let (dx, dy) = (x / 0.9, (y - 0.02) / 0.99)
        let radius = (dx * dx + dy * dy).squareRoot()
        return y > 0.35 && radius > 0.97 && radius < 1.01 ? -180 : -1000
    }

    /// Two hard plates and the softer diploe between them.
    private func bone(_ radius: Double) -> Double {
        let middle = (0.955 + skull) / 2
        let distance = (radius - middle) / ((0.955 - skull) / 2)
        return 800 + 450 * distance * distance
    }

    private func inside(u: Double, v: Double, radius: Double, irregular: Double) -> Double {
        if let base = skullBase(u: u, v: v) { return base }
        let fold = folds.value(u * 5.5, v * 5.5, height * 3) * 0.7 + folds.value(u * 11, v * 11, height * 5 + 40) * 0.3
        let sulcus = (fold - 0.5).magnitude * 2
        let width = 0.11 * min(1, max(0, (radius / skull - 0.55) / 0.4))
        let isVentricle = ventricles(u: u - shift, v: v)
        let isCistern = cistern(u: u, v: v)
        let place = DemoLesionSection.Place(
            u: u, v: v, radius: radius, skull: skull, sulcus: sulcus, sulcusWidth: width, isVentricle: isVentricle,
            isCistern: isCistern, texture: irregular, grain: texture.value(u * 6, v * 6, height * 4 + 20) - 0.5)
        for lesion in lesions {
            if let blood = lesion.hounsfield(at: place) { return blood + 6 * irregular }
        }
        if isVentricle || isCistern { return 8 }
        if radius > skull - 0.02 { return 14 }
        // The falx between the hemispheres, in front and behind.
        if (u - shift * (1 - radius)).magnitude < 0.014 && height > 0.3 && v.magnitude > 0.4 { return 48 }
        if sulcus < width { return 10 }
        return sulcus < width + 0.18 || nuclei(u: u - shift, v: v) ? 38 : 29
    }

    /// Lateral ventricles with front and back horns, third ventricle and fourth ventricle, each at its height.
    private func ventricles(u: Double, v: Double) -> Bool {
        func ellipse(_ du: Double, _ dv: Double, _ halfU: Double, _ halfV: Double, _ size: Double) -> Bool {
            let (a, b) = (du / (halfU * size), dv / (halfV * size))
            return a * a + b * b < 1
        }
        let rest = 1 - (height - 0.56) * (height - 0.56) / (0.3 * 0.3)
        if rest > 0.05 {
            let size = rest.squareRoot() * head.ventricleSize
            let side = u.magnitude
            // Front horns lean outwards to the front, back horns outwards to the back.
            if ellipse(side - 0.11 + 0.25 * (v + 0.14), v + 0.14, 0.085, 0.25, size) { return true }
            if ellipse(side - 0.17 - 0.25 * (v - 0.24), v - 0.24, 0.08, 0.24, size) { return true }
        }
        if height > 0.32 && height < 0.5 && ellipse(u, v - 0.06, 0.024, 0.16, head.ventricleSize) { return true }
        return height > 0.12 && height < 0.32 && ellipse(u, v - 0.38, 0.08, 0.06, head.ventricleSize)
    }

    /// The five-pointed pool of fluid above the sella, drawn as two crossed lenses.
    private func cistern(u: Double, v: Double) -> Bool {
        guard height > 0.15 && height < 0.38 else { return false }
        let (a, b) = (u / 0.2, (v + 0.05) / 0.05)
        let (c, d) = (u / 0.05, (v + 0.05) / 0.17)
        return a * a + b * b < 1 || c * c + d * d < 1
    }

    private func nuclei(u: Double, v: Double) -> Bool {
        let (a, b) = ((u.magnitude - 0.27) / 0.09, v / 0.17)
        return height > 0.38 && height < 0.6 && a * a + b * b < 1
    }

    /// Petrous bones and an air-filled sinus in the lowest cuts.
    private func skullBase(u: Double, v: Double) -> Double? {
        guard height < 0.22 else { return nil }
        let side = u.magnitude
        let (along, across) = ((side - 0.5) * 0.87 + (v - 0.15) * 0.5, (v - 0.15) * 0.87 - (side - 0.5) * 0.5)
        let petrous = (along * along) / (0.3 * 0.3) + (across * across) / (0.08 * 0.08)
        if petrous < 1 { return petrous < 0.12 ? -400 : 1150 }
        let sinus = u * u / (0.17 * 0.17) + (v + 0.66) * (v + 0.66) / (0.13 * 0.13)
        if sinus < 1 { return -900 }
        return sinus < 1.5 ? 700 : nil
    }
}
