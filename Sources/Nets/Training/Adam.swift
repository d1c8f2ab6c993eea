import CKernels
import Synchronization

/// Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980) as in PyTorch: betas 0.9 and 0.999, epsilon 1e-8, no decay.
final class Adam {
    /// Steps made so far.
    private(set) var step = 0
    let mean: FloatBuffer
    let variance: FloatBuffer

    private static let beta1 = 0.9
    private static let beta2 = 0.999

    init(count: Int) {
        mean = FloatBuffer(count: count)
        variance = FloatBuffer(count: count)
    }

    /// Goes on after `step` steps whose moments have been put into `mean` and `variance`.
    func resume(step: Int) { self.step = step }

    /// Moves the network's parameters by its gradients; returns whether parameters and moments are all finite numbers then.
    func update(_ network: Network, learningRate: Double) -> Bool {
        step += 1
        var (power1, power2) = (1.0, 1.0)
        for _ in 0..<step { (power1, power2) = (power1 * Self.beta1, power2 * Self.beta2) }
        let settings = CKAdam(
            learningRate: Float(learningRate / (1 - power1)), beta1: Float(Self.beta1), beta2: Float(Self.beta2),
            oneMinusBeta1: Float(1 - Self.beta1), oneMinusBeta2: Float(1 - Self.beta2),
            inverseCorrection: Float(1 / (1 - power2).squareRoot()), epsilon: 1e-8)
        let parameters = network.weights.parameters.base
        let areFinite = Atomic(true)
        withUnsafePointer(to: settings) { settings in
            network.inParts(of: mean.count, unit: 4096) { part in
                let isFinite = network.kernels.adam(
                    settings, parameters + part.lowerBound, network.gradients.base + part.lowerBound,
                    mean.base + part.lowerBound, variance.base + part.lowerBound, Int64(part.count))
                if isFinite == 0 { areFinite.store(false, ordering: .relaxed) }
            }
        }
        return areFinite.load(ordering: .relaxed)
    }
}
