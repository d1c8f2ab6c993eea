import Foundation

/// docs/numerics.md's section on Strassen's products, literally: one matrix product per image, pixels x inputs times inputs x outputs.
struct StrassenSpecification {
    let inputs: Int
    let outputs: Int
    /// `[input][output]`.
    let weights: [[Float]]

    /// - Parameter weights: PyTorch's order: output, input.
    init(weights: [Float], inputs: Int, outputs: Int) {
        self.inputs = inputs
        self.outputs = outputs
        self.weights = (0..<inputs).map { i in (0..<outputs).map { o in weights[o * inputs + i] } }
    }

    /// The data gradient's: inputs and outputs change places.
    var transposed: StrassenSpecification {
        .init(weights: weights.flatMap(\.self), inputs: outputs, outputs: inputs)
    }

    private static func plus(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map { $0 + $1 } }
    private static func minus(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map { $0 - $1 } }

    /// The pixels of one image, `[pixel][input]`, to `[pixel][output]`.
    func multiply(_ pixels: [[Float]]) -> [[Float]] {
        let (h, n) = (inputs / 2, outputs / 2)
        func block(_ i: Int, _ o: Int) -> [[Float]] { weights[i..<i + h].map { Array($0[o..<o + n]) } }
        let (b11, b12, b21, b22) = (block(0, 0), block(0, n), block(h, 0), block(h, n))
        let t1 = zip(b12, b11).map(Self.minus)
        let t2 = zip(b22, t1).map(Self.minus)
        let t3 = zip(b22, b12).map(Self.minus)
        let t4 = zip(b21, t2).map(Self.minus)
        func chain(_ start: [Float], _ a: [Float], _ b: [[Float]]) -> [Float] {
            (0..<n).map { o in (0..<h).reduce(start[o]) { fma(a[$1], b[$1][o], $0) } }
        }
        let zero = [Float](repeating: 0, count: n)
        var result: [[Float]] = []
        for first in stride(from: 0, to: pixels.count, by: 2) {
            let p = pixels[first]
            let q = first + 1 < pixels.count ? pixels[first + 1] : [Float](repeating: 0, count: inputs)
            let (a11, a12, a21, a22) = (Array(p[..<h]), Array(p[h...]), Array(q[..<h]), Array(q[h...]))
            let s1 = Self.plus(a21, a22)
            let s2 = Self.minus(s1, a11)
            let s3 = Self.minus(a11, a21)
            let s4 = Self.minus(a12, s2)
            let m1 = chain(zero, a11, b11)
            let m2 = chain(m1, s2, t2)
            let m3 = chain(m2, s3, t3)
            let m5 = chain(zero, s1, t1)
            result.append(chain(m1, a12, b21) + chain(Self.plus(m2, m5), s4, b22))
            result.append(chain(m3, a22, t4) + Self.plus(m3, m5))
        }
        return Array(result[..<pixels.count])
    }
}
