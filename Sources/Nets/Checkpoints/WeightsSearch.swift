/// What a checkpoint has under one name, before its values are read.
struct TensorOutline {
    let name: String
    let shape: [Int]
    let kind: Kind

    enum Kind: Equatable {
        case real
        case integer
        /// What is no plain tensor; says what it is.
        case object(String)
    }

    /// Where the values lie, if the file says: two names of the same place are the same weights.
    var place: Place?

    struct Place: Hashable {
        let storage: String
        let start: Int
        let strides: [Int]
        var isNegated = false
    }
}

extension NamedTensor {
    var outline: TensorOutline {
        let isReal = if case .float32 = values { true } else { false }
        return TensorOutline(name: name, shape: shape, kind: isReal ? .real : .integer)
    }
}

/// The named tensors in one dict of a checkpoint.
struct TensorSet {
    /// The keys that lead to it, joined by dots; empty for the file's top level.
    let path: String
    let tensors: [TensorOutline]
}

/// Why no set of tensors was chosen.
struct WeightsMisfit: Error, Equatable { let problem: String }

/// Finds a backbone's weights among everything that a checkpoint holds.
///
/// They are the tensors of one dict, wherever it is nested, whose names after some prefix are the backbone's: `module.`,
/// `_orig_mod.`, `model.`, `ema.module.`, or none. Whatever else the dict has is left out.
struct WeightsSearch {
    private let backbone: Backbone
    /// Names and shapes of what has to be there, in the network's order.
    private let wanted: [(name: String, shape: [Int])]
    private let shapes: [String: [Int]]
    private let longestName: Int

    /// - Parameter exceptLastLayer: a training's start needs no last layer.
    init(_ backbone: Backbone, exceptLastLayer: Bool = false) {
        self.backbone = backbone
        // The image size decides no parameter's shape.
        let graph = backbone.graph(size: 64)
        wanted = (graph.parameters.entries + graph.statistics.entries).map { ($0.name, $0.shape) }
            .filter { !exceptLastLayer || !$0.0.hasPrefix("\(backbone.lastLayer).") }
        shapes = Dictionary(wanted.map { ($0.name, $0.shape) }) { first, _ in first }
        longestName = wanted.reduce(0) { max($0, $1.name.utf8.count) }
    }

    /// A set's number, and a tensor's number in it.
    typealias Position = (set: Int, tensor: Int)

    /// One set of weights: a dict, and what its names have in front of the backbone's.
    struct Found {
        let set: Int
        let prefix: String
        /// Numbers in the set, by the backbone's names.
        fileprivate(set) var tensors: [String: Int] = [:]

        /// The set's names as the backbone has them, without the prefix in any case; nil for those that do not begin with it.
        func ownNames(in set: TensorSet) -> [String?] {
            var names = set.tensors.map { $0.name.hasPrefix(prefix) ? String($0.name.dropFirst(prefix.count)) : nil }
            for (own, number) in tensors { names[number] = own }
            return names
        }
    }

    /// The one set that fits.
    ///
    /// - Parameters:
    ///   - entry: which one, if several do: the keys that lead to it, or the beginning of its names.
    ///   - areEqual: whether two tensors, each the number of its set and its number in it, have the same values.
    func find(
        in sets: [TensorSet], entry: String?, areEqual: (_ one: Position, _ two: Position) -> Bool
    ) throws(WeightsMisfit) -> Found {
        let entry = entry.map { $0.count > 1 && $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
        let all = sets.indices.flatMap { candidates(in: sets[$0], number: $0) }
        let complete = all.filter { $0.tensors.count == wanted.count }
        let labels = labels(of: complete, in: sets)
        // What a message calls a set is that set, whatever else it leads to.
        let called = entry.flatMap(labels.firstIndex(of:)).map { [complete[$0]] }
        let named = called ?? all.filter { found in entry.map { isNamed($0, fullName(found, in: sets)) } ?? true }
        let fitting = named.filter { $0.tensors.count == wanted.count && problems(of: $0, in: sets).isEmpty }
        guard let first = fitting.first else {
            if let entry, named.isEmpty {
                let meant = sets.filter { isNamed(entry, $0.path) }
                if !meant.isEmpty { throw WeightsMisfit(problem: misfit([], in: meant)) }
                let paths = labels.isEmpty ? sets.map { $0.path.isEmpty ? "." : $0.path } : labels
                throw WeightsMisfit(problem: "there is nothing under --entry \(entry); there are: \(list(paths))")
            }
            throw WeightsMisfit(problem: misfit(named, in: sets))
        }
        // State dicts of the same values are the same weights twice.
        func places(_ found: Found) -> [TensorOutline.Place?] {
            wanted.map { found.tensors[$0.name].flatMap { sets[found.set].tensors[$0].place } }
        }
        let others = fitting.dropFirst().filter { other in
            if !places(other).contains(nil), places(other) == places(first) { return false }
            return wanted.contains { name, _ in
                guard let one = first.tensors[name], let two = other.tensors[name] else { return true }
                return !areEqual((first.set, one), (other.set, two))
            }
        }
        guard others.isEmpty else {
            let meant = [first] + others
            let names = zip(complete, labels).filter { found, _ in
                meant.contains { $0.set == found.set && $0.prefix == found.prefix }
            }.map(\.1)
            throw WeightsMisfit(
                problem:
                    "\(names.count) sets of \(backbone.rawValue)'s weights are in it: \(list(names)). Say which: --entry NAME"
            )
        }
        return first
    }

    /// The backbone's name for a name that follows the prefix; nil if it has none such.
    ///
    /// torchvision calls resnet34's last layer `fc`.
    private func ownName(_ rest: Substring) -> String? {
        if shapes[String(rest)] != nil { return String(rest) }
        guard backbone == .resnet34, rest.hasPrefix("fc.") else { return nil }
        let own = backbone.lastLayer + rest.dropFirst("fc".count)
        return shapes[own] == nil ? nil : own
    }

    /// For each prefix in a set under which there is any of the backbone's names, what there is.
    private func candidates(in set: TensorSet, number: Int) -> [Found] {
        var found: [Found] = []
        var byPrefix: [Substring: Int] = [:]
        for (index, tensor) in set.tensors.enumerated() {
            // From the end: no name is longer than the longest, whatever a file has in front of it.
            let bytes = tensor.name.utf8
            var start = bytes.endIndex
            var length = 0
            while start > bytes.startIndex, length <= longestName {
                start = bytes.index(before: start)
                length += 1
                guard start == bytes.startIndex || bytes[bytes.index(before: start)] == UInt8(ascii: "."),
                    let own = ownName(tensor.name[start...])
                else { continue }
                let prefix = tensor.name[..<start]
                // Moments are named after what they are of, as in this program's checkpoints.
                if prefix.hasPrefix("optimizer.") { continue }
                let place = byPrefix[prefix] ?? found.count
                if place == found.count {
                    found.append(Found(set: number, prefix: String(prefix)))
                    byPrefix[prefix] = place
                }
                // The backbone's own spelling goes before another one.
                if found[place].tensors[own] == nil || tensor.name.hasSuffix(own) {
                    found[place].tensors[own] = index
                }
            }
        }
        return found
    }

    // MARK: Names of sets

    /// All keys and the prefix, joined by dots; a dot alone is the top level.
    private func fullName(_ found: Found, in sets: [TensorSet]) -> String {
        let parts = [
            sets[found.set].path, String(found.prefix.hasSuffix(".") ? found.prefix.dropLast() : found.prefix[...]),
        ]
        let name = parts.filter { !$0.isEmpty }.joined(separator: ".")
        return name.isEmpty ? "." : name
    }

    /// What a message calls complete sets: the keys that lead to them, where they are enough; sets of one name get numbers.
    ///
    /// A key may have dots itself: `{'ema.model': …, 'ema': {'model': …}}` has `ema.model#1` and `ema.model#2`.
    private func labels(of complete: [Found], in sets: [TensorSet]) -> [String] {
        let inSet = Dictionary(grouping: complete, by: \.set).mapValues(\.count)
        let names = complete.map { found in
            let path = sets[found.set].path
            return inSet[found.set] == 1 && !path.isEmpty ? path : fullName(found, in: sets)
        }
        let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
        var numbers: [String: Int] = [:]
        return names.map { name in
            guard counts[name] != 1 else { return name }
            numbers[name, default: 0] += 1
            return "\(name)#\(numbers[name] ?? 0)"
        }
    }

    /// Whether an entry is a set's name or leads to it.
    private func isNamed(_ entry: String, _ name: String) -> Bool { name == entry || name.hasPrefix(entry + ".") }

    // MARK: What is said when none fits

    private func problems(of found: Found, in sets: [TensorSet]) -> [String] {
        wanted.compactMap { name, shape in
            guard let tensor = found.tensors[name].map({ sets[found.set].tensors[$0] }) else { return nil }
            return switch tensor.kind {
            case .real where tensor.shape == shape: nil
            case .real: "\(tensor.name) has shape \(tensor.shape), \(name) of \(backbone.rawValue) has \(shape)"
            case .integer: "\(tensor.name) is not of floating-point numbers"
            case .object(let what): "\(tensor.name) is no plain tensor (\(what))"
            }
        }
    }

    private func misfit(_ candidates: [Found], in sets: [TensorSet]) -> String {
        let others = Backbone.allCases.filter { other in
            guard other != backbone else { return false }
            let search = WeightsSearch(other)
            return sets.indices.contains { number in
                search.candidates(in: sets[number], number: number).contains {
                    $0.tensors.count == search.wanted.count && search.problems(of: $0, in: sets).isEmpty
                }
            }
        }
        if let other = others.first {
            return
                "these are weights of \(other.rawValue), not of \(backbone.rawValue): give --backbone \(other.rawValue)"
        }
        let closest = candidates.max { $0.tensors.count < $1.tensors.count }
        guard let closest, closest.tensors.count > 1 else {
            let largest = sets.max { $0.tensors.count < $1.tensors.count }
            let names = largest?.tensors.map(\.name) ?? []
            return """
                these are none of \(backbone.rawValue)
                  expected, \(wanted.count) names: \(list(wanted.map(\.name)))
                  found\(largest.map { $0.path.isEmpty ? "" : " in \($0.path)" } ?? ""), \(names.count) names: \(list(names))
                """
        }
        let set = sets[closest.set]
        let missing = wanted.map(\.name).filter { closest.tensors[$0] == nil }
        let used = Set(closest.tensors.values)
        let extra = set.tensors.indices.filter { !used.contains($0) }.map { set.tensors[$0].name }
            .filter { $0.hasPrefix(closest.prefix) && !$0.hasSuffix(".num_batches_tracked") }
        let wrong = problems(of: closest, in: sets)
        var lines: [String] = []
        if missing.isEmpty {
            // Only shapes differ: the first says it.
            lines.append("not \(backbone.rawValue)'s weights as they have to be")
        } else {
            lines.append("\(missing[0]) is missing: are these weights of \(backbone.rawValue)?")
        }
        let place = fullName(closest, in: sets)
        lines.append(
            "  closest: \(closest.tensors.count) of \(wanted.count) names"
                + (place == "." ? "" : ", in \(place)")
                + (closest.prefix.isEmpty ? "" : ", with \(closest.prefix) in front of the names"))
        if !missing.isEmpty { lines.append("  missing, \(missing.count): \(list(missing.map(spellings)))") }
        if !extra.isEmpty { lines.append("  not \(backbone.rawValue)'s, \(extra.count): \(list(extra))") }
        if !wrong.isEmpty { lines.append("  otherwise, \(wrong.count): \(list(wrong, separator: "; "))") }
        if missing.isEmpty, isImageNet(closest, in: sets) {
            lines.append("  ImageNet weights are where training starts, they predict no hemorrhage")
        }
        return lines.joined(separator: "\n")
    }

    /// Whether the last layer has ImageNet's thousand classes.
    private func isImageNet(_ found: Found, in sets: [TensorSet]) -> Bool {
        guard let bias = found.tensors["\(backbone.lastLayer).bias"] else { return false }
        return sets[found.set].tensors[bias].shape == [1000]
    }

    /// A name, and another that would do as well.
    private func spellings(_ name: String) -> String {
        guard backbone == .resnet34, name.hasPrefix("\(backbone.lastLayer).") else { return name }
        return "\(name) (or fc\(name.dropFirst(backbone.lastLayer.count)))"
    }

    /// The first ten.
    private func list(_ names: [String], separator: String = ", ") -> String {
        names.prefix(10).map { $0.count > 200 ? "\($0.prefix(200))..." : $0 }.joined(separator: separator)
            + (names.count > 10 ? "\(separator)..." : "")
    }
}
