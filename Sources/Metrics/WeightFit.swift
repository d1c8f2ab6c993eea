import Basics

/// The blend weights that minimise the competition's loss on labelled slices, and what they reach.
public struct FittedWeights: Sendable, Equatable {
    /// One for each table, from 0 to 1, with the sum 1.
    public let weights: [Double]
    /// The loss with these weights on the slices that they were fitted to.
    public let loss: Double
    /// No other weights are better by more than this.
    public let gap: Double
}

/// Finds the weights of an arithmetic blend of several predictions that minimise the loss on labelled slices.
///
/// With q = x where the label is 1 and 1 - x where it is 0, the blend's loss is the weighted mean of -log(w₁q₁ + w₂q₂ + ...), since the
/// weights sum to 1: a convex function on the simplex, the likelihood of mixture proportions. Each step minimises the quadratic model
/// with the exact gradient and Hessian on the simplex, then searches along that line (Kim, Carbonetto, Stephens, Anitescu, "A fast
/// algorithm for maximum likelihood estimation of mixture proportions using sequential quadratic programming", 2020). The distance
/// from the minimum is bounded by the largest slope towards a corner of the simplex, which decides when to stop.
/// Sums are made in pieces of fixed size and joined in order: the same bits with any number of processors.
public struct WeightFit: Sendable {
    /// q of each table, six for each slice.
    private let likelihoods: [[Double]]

    /// Prepares a fit.
    ///
    /// - Parameters:
    ///   - tables: The tables' probabilities, each six for each slice; held in [1e-15, 1 - 1e-15].
    ///   - truth: The labels in the same layout.
    /// - Throws: ``ScoringError`` without tables or slices, or if their numbers differ.
    public init(_ tables: [[Double]], truth: [Bool]) throws(ScoringError) {
        guard !truth.isEmpty, !tables.isEmpty else { throw .noSlices }
        for table in tables where table.count != truth.count {
            throw .sizesDiffer(predictions: table.count, truth: truth.count)
        }
        likelihoods = concurrentMap(tables.count) { number in
            let table = tables[number]
            return table.indices.map { row in
                let held = min(max(table[row], kaggleClip), 1 - kaggleClip)
                return truth[row] ? held : 1 - held
            }
        }
    }

    /// The weights that are best for these slices, of which there has to be at least one.
    ///
    /// - Parameters:
    ///   - slices: The numbers of the slices to fit to.
    ///   - tolerance: The fit stops once no other weights can be better by more than this.
    public func fit(slices: [Int], tolerance: Double = 1e-10) -> FittedWeights {
        let count = likelihoods.count
        var weights = [Double](repeating: 1 / Double(count), count: count)
        var model = expansion(at: weights, slices)
        // Newton steps: twenty are rarely needed.
        for _ in 0..<100 where model.gap > tolerance {
            let target = minimumOnSimplex(model, from: weights)
            let slope = zip(model.gradient, zip(target, weights)).reduce(0) { $0 + $1.0 * ($1.1.0 - $1.1.1) }
            guard slope < 0 else { break }
            var (step, isBetter) = (1.0, false)
            while !isBetter && step > 1e-10 {
                let tried = zip(weights, target).map { $0 + step * ($1 - $0) }
                let there = expansion(at: tried, slices)
                // Close to the minimum the loss changes by less than its last digits.
                isBetter = there.loss <= model.loss + 1e-4 * step * slope + 4 * model.loss.ulp
                if isBetter { (weights, model) = (tried, there) }
                step /= 2
            }
            guard isBetter else { break }
        }
        return FittedWeights(weights: weights, loss: model.loss, gap: model.gap)
    }

    /// The loss and its derivatives at some weights.
    private struct Expansion: Sendable {
        var loss = 0.0
        var gradient: [Double]
        /// Row by row.
        var hessian: [Double]

        init(_ count: Int) {
            gradient = Array(repeating: 0, count: count)
            hessian = Array(repeating: 0, count: count * count)
        }

        /// The weighted mean of the gradient is -1 everywhere, so this is the largest slope towards a corner.
        var gap: Double { -1 - (gradient.min() ?? 0) }
    }

    private func expansion(at weights: [Double], _ slices: [Int]) -> Expansion {
        let pieceSize = 4096
        let pieces = concurrentMap((slices.count + pieceSize - 1) / pieceSize) { piece in
            partialExpansion(at: weights, slices[(piece * pieceSize)...].prefix(pieceSize))
        }
        let count = weights.count
        var sum = Expansion(count)
        for piece in pieces {
            sum.loss += piece.loss
            for i in 0..<count { sum.gradient[i] += piece.gradient[i] }
            for i in 0..<count * count { sum.hessian[i] += piece.hessian[i] }
        }
        let share = 1 / (Double(slices.count) * HemorrhageType.allCases.map(\.lossWeight).reduce(0, +))
        sum.loss *= share
        for i in 0..<count { sum.gradient[i] *= share }
        for i in 0..<count * count { sum.hessian[i] *= share }
        return sum
    }

    private func partialExpansion(at weights: [Double], _ slices: ArraySlice<Int>) -> Expansion {
        let types = HemorrhageType.allCases
        let count = weights.count
        var sum = Expansion(count)
        var ratios = [Double](repeating: 0, count: count)
        for slice in slices {
            for (type, name) in types.enumerated() {
                let row = slice * types.count + type
                var mixture = 0.0
                for i in 0..<count {
                    ratios[i] = likelihoods[i][row]
                    mixture += weights[i] * ratios[i]
                }
                sum.loss -= name.lossWeight * naturalLogarithm(mixture)
                for i in 0..<count {
                    ratios[i] /= mixture
                    sum.gradient[i] -= name.lossWeight * ratios[i]
                    for j in 0...i { sum.hessian[i * count + j] += name.lossWeight * ratios[i] * ratios[j] }
                }
            }
        }
        for i in 0..<count {
            for j in 0..<i { sum.hessian[j * count + i] = sum.hessian[i * count + j] }
        }
        return sum
    }

    /// The point of the simplex at which the quadratic model is least: weight is moved from the component with the steepest rise to the
    /// one with the steepest fall, as far as pays, until no move pays.
    private func minimumOnSimplex(_ model: Expansion, from weights: [Double]) -> [Double] {
        let count = weights.count
        var point = weights
        var slope = model.gradient
        for _ in 0..<10_000 {
            guard let up = slope.indices.min(by: { slope[$0] < slope[$1] }),
                let down = slope.indices.filter({ point[$0] > 0 }).max(by: { slope[$0] < slope[$1] }),
                slope[down] - slope[up] > 1e-14
            else { break }
            let curvature =
                model.hessian[up * count + up] + model.hessian[down * count + down]
                - 2 * model.hessian[up * count + down]
            let wanted = curvature > 0 ? (slope[down] - slope[up]) / curvature : point[down]
            let moved = min(wanted, point[down])
            point[up] += moved
            point[down] = moved == point[down] ? 0 : point[down] - moved
            for i in 0..<count {
                slope[i] += moved * (model.hessian[i * count + up] - model.hessian[i * count + down])
            }
        }
        return point
    }
}
