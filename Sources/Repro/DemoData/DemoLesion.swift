import Metrics

/// One bleeding in a study: where it lies in the head and how far it reaches over neighbouring slices.
///
/// Coordinates are those of ``DemoHead``: u to the patient's left, v to the back, both 1 at the skin; height 0 at the base of
/// the skull and 1 at the vertex.
package struct DemoLesion: Sendable, Equatable {
    package var type: HemorrhageType
    /// -1 right, 1 left.
    package var side: Double
    /// From the head's centre towards the bleeding, of length 1.
    package var direction: (u: Double, v: Double)
    package var height: Double
    /// How far it reaches up and down from `height`.
    package var reach: Double
    /// Relative to the usual size.
    package var size: Double

    package static func == (a: Self, b: Self) -> Bool {
        (a.type, a.side, a.height, a.reach, a.size) == (b.type, b.side, b.height, b.reach, b.size)
            && a.direction == b.direction
    }

    /// A bleeding of a type at a place where that type is seen.
    package init(_ type: HemorrhageType, random: inout DemoRandom) {
        self.type = type
        side = random.chance(0.5) ? 1 : -1
        // A point of the unit circle without sine and cosine: m is the tangent of half the angle from straight sideways.
        let spread = type == .epidural ? 0.35 : type == .subdural ? 0.15 : 0.5
        let m = random.uniform(-spread, spread)
        direction = (side * (1 - m * m) / (1 + m * m), 2 * m / (1 + m * m))
        // The ventricles, where intraventricular blood is, lie about half-way up.
        height = type == .intraventricular ? random.uniform(0.54, 0.58) : random.uniform(0.4, 0.68)
        reach = type == .intraventricular ? 0.27 : random.uniform(0.3, 0.42)
        size = random.uniform(0.85, 1.2)
    }

    /// How large the bleeding is at a height, 1 at its middle; nil where it is too small to be seen, and so is not there at all.
    ///
    /// A slice has the label exactly where this is not nil.
    package func strength(at sliceHeight: Double) -> Double? {
        let distance = (sliceHeight - height) / reach
        let rest = 1 - distance * distance
        return rest > 0.3 ? rest.squareRoot() : nil
    }
}

/// The part of a bleeding that one slice cuts: tells of every point of the brain whether there is blood.
package struct DemoLesionSection {
    package let lesion: DemoLesion
    package let strength: Double

    /// What lies at a point of the brain, as far as a bleeding depends on it.
    package struct Place {
        package var u, v: Double
        /// Distance from the centre, and that of the skull's inner side.
        package var radius, skull: Double
        /// 0 on a sulcus, growing away from it.
        package var sulcus: Double
        /// How wide a sulcus is here on the scale of `sulcus`.
        package var sulcusWidth: Double
        package var isVentricle, isCistern: Bool
        /// Irregularity of outlines, coarse and fine, -0.5 ..< 0.5.
        package var texture: Double
        package var grain: Double
    }

    /// Hounsfield units at a point if the bleeding or the swelling around it is there, else nil.
    package func hounsfield(at place: Place) -> Double? {
        switch lesion.type {
        case .epidural: return isInLens(place) ? 72 : nil
        case .subdural: return isInCrescent(place) ? 64 : nil
        case .intraparenchymal: return blob(place)
        case .intraventricular: return isInVentricle(place) ? 66 : nil
        case .subarachnoid: return isInSulcus(place) ? 66 : nil
        case .any: return nil
        }
    }

    /// A biconvex lens between skull and dura: what an ellipse around a point of the skull covers.
    private func isInLens(_ place: Place) -> Bool {
        let (du, dv) = lesion.direction
        let u = place.u - place.skull * du
        let v = place.v - place.skull * dv
        let across = (u * du + v * dv) / (0.27 * lesion.size * strength)
        let along = (u * dv - v * du) / (0.44 * lesion.size * strength)
        return across * across + along * along < 1
    }

    /// A thin crescent along the skull over most of one side, thinner towards its ends.
    private func isInCrescent(_ place: Place) -> Bool {
        guard place.radius > 0 else { return false }
        let cosine = (place.u * lesion.direction.u + place.v * lesion.direction.v) / place.radius
        let taper = min(1, max(0, (cosine + 0.05) / 0.4))
        let thickness = 0.17 * lesion.size * strength * taper * (1 + 0.3 * place.texture)
        return place.radius > place.skull - thickness && taper > 0
    }

    /// An irregular blob in the tissue with a darker rim of oedema.
    private func blob(_ place: Place) -> Double? {
        let depth = 0.44
        let u = place.u - depth * lesion.direction.u
        let v = place.v - depth * lesion.direction.v
        let radius = 0.23 * lesion.size * strength
        let distance = (u * u + v * v).squareRoot() * (1 + 0.6 * place.texture + 0.5 * place.grain)
        if distance < radius { return 70 }
        return distance < radius * 1.35 && !place.isVentricle ? 21 : nil
    }

    /// Blood in the ventricles; a small one lies at the back, where it sinks to.
    private func isInVentricle(_ place: Place) -> Bool {
        place.isVentricle && (lesion.size > 1 || place.v > -0.12 + 0.1 * place.texture)
    }

    /// Blood in the sulci of one side and in the cisterns at the base: thin lines.
    private func isInSulcus(_ place: Place) -> Bool {
        if place.isCistern { return true }
        let towards = place.u * lesion.direction.u + place.v * lesion.direction.v
        let isOutside = place.radius > place.skull * 0.5
        return isOutside && towards > 0.1 && place.sulcus < 0.04 + place.sulcusWidth * 1.5 * strength
    }
}
