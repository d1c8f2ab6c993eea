/// A tensor as a checkpoint holds it: name, shape and values in row-major order.
public struct NamedTensor: Sendable, Equatable {
    /// The values: binary32 for weights, 64-bit integers for counters.
    public enum Values: Sendable, Equatable {
        /// Weights, moments and running statistics.
        case float32([Float])
        /// Counters.
        case int64([Int64])

        /// How many values there are.
        public var count: Int {
            switch self {
            case .float32(let values): values.count
            case .int64(let values): values.count
            }
        }

        /// The values with the other sign; integers wrap around.
        func negated() -> Values {
            switch self {
            case .float32(let values): .float32(values.map { -$0 })
            case .int64(let values): .int64(values.map { 0 &- $0 })
            }
        }
    }

    /// The name, as PyTorch's state dicts have it: `layer1.0.conv1.weight`.
    public let name: String
    /// The sizes, slowest-varying dimension first; empty for a single number.
    public let shape: [Int]
    /// The values in row-major order, as many as the product of the shape.
    public let values: Values

    /// Names some values; their number must be the product of the shape.
    public init(name: String, shape: [Int], values: Values) {
        precondition(
            shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == values.count,
            "\(name): shape \(shape) cannot have \(values.count) values")
        (self.name, self.shape, self.values) = (name, shape, values)
    }
}

/// How a file stores a tensor's elements; all are little-endian.
enum ElementType {
    case float16, bfloat16, float32, float64, int8, uint8, int16, int32, int64, boolean

    var byteCount: Int {
        switch self {
        case .int8, .uint8, .boolean: 1
        case .float16, .bfloat16, .int16: 2
        case .float32, .int32: 4
        case .float64, .int64: 8
        }
    }

    /// Whether the elements are floating-point numbers.
    var isReal: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        case .int8, .uint8, .int16, .int32, .int64, .boolean: false
        }
    }

    /// The elements of a strided view of `raw`, in row-major order: floating-point types as binary32, the others as 64-bit integers.
    ///
    /// Half precision converts exactly; float64 is rounded to nearest even. The view must lie inside `raw`.
    func values(of view: StridedView, in raw: UnsafeRawBufferPointer) -> NamedTensor.Values {
        func load<Element>(_ index: Int, _: Element.Type) -> Element {
            raw.loadUnaligned(fromByteOffset: index * MemoryLayout<Element>.size, as: Element.self)
        }
        // Most tensors lie as they are wanted.
        let whole = raw.dropFirst(view.offset * byteCount).prefix(view.count * byteCount)
        switch self {
        case .float32 where view.isContiguous: return .float32(whole.copied())
        case .int64 where view.isContiguous: return .int64(whole.copied())
        default: break
        }
        return switch self {
        case .float16: .float32(view.gather { Float(Float16(bitPattern: load($0, UInt16.self))) })
        case .bfloat16: .float32(view.gather { Float(bitPattern: UInt32(load($0, UInt16.self)) << 16) })
        case .float32: .float32(view.gather { Float(bitPattern: load($0, UInt32.self)) })
        case .float64: .float32(view.gather { Float(Double(bitPattern: load($0, UInt64.self))) })
        case .int8: .int64(view.gather { Int64(load($0, Int8.self)) })
        case .uint8: .int64(view.gather { Int64(load($0, UInt8.self)) })
        case .int16: .int64(view.gather { Int64(load($0, Int16.self)) })
        case .int32: .int64(view.gather { Int64(load($0, Int32.self)) })
        case .int64: .int64(view.gather { load($0, Int64.self) })
        case .boolean: .int64(view.gather { load($0, UInt8.self) == 0 ? 0 : 1 })
        }
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// The bytes as numbers, wherever they begin.
    fileprivate func copied<Number: BitwiseCopyable>() -> [Number] {
        Array(unsafeUninitializedCapacity: count / MemoryLayout<Number>.stride) { buffer, filled in
            UnsafeMutableRawBufferPointer(buffer).copyBytes(from: self)
            filled = buffer.count
        }
    }
}

#if _endian(big)
    #error("checkpoints are little-endian and are read and written as they lie in memory")
#endif

/// Which elements of a storage a tensor is made of: element (i, j, …) is number `offset + i * strides[0] + j * strides[1] + …`.
struct StridedView {
    let offset: Int
    let shape: [Int]
    let strides: [Int]
    /// The number of elements.
    let count: Int

    /// A view whose every element lies in 0 ..< `elements`; nil if it leaves it or its size overflows.
    init?(offset: Int, shape: [Int], strides: [Int], within elements: Int) {
        guard offset >= 0, shape.count == strides.count, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }),
            let count = Self.product(shape)
        else { return nil }
        var last = offset
        for (size, stride) in zip(shape, strides) where count > 0 {
            guard let reach = Self.product([size - 1, stride]) else { return nil }
            let (sum, overflow) = last.addingReportingOverflow(reach)
            guard !overflow else { return nil }
            last = sum
        }
        guard count == 0 || last < elements else { return nil }
        (self.offset, self.shape, self.strides, self.count) = (offset, shape, strides, count)
    }

    /// The product of non-negative factors; nil if it overflows. A zero anywhere makes it zero only if no prefix overflows.
    static func product(_ factors: [Int]) -> Int? {
        var product = 1
        for factor in factors {
            let (next, overflow) = product.multipliedReportingOverflow(by: factor)
            guard !overflow else { return nil }
            product = next
        }
        return product
    }

    /// Whether the elements lie one after another in row-major order.
    var isContiguous: Bool { strides == Self.contiguousStrides(of: shape) }

    /// Strides of a tensor whose elements lie one after another.
    static func contiguousStrides(of shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for dimension in shape.indices.dropLast().reversed() {
            strides[dimension] = strides[dimension + 1] &* shape[dimension + 1]
        }
        return strides
    }

    /// The elements in row-major order, each read by its number in the storage.
    @inline(__always)
    fileprivate func gather<Element>(_ element: (Int) -> Element) -> [Element] {
        Array(unsafeUninitializedCapacity: count) { buffer, filled in
            var index = [Int](repeating: 0, count: shape.count)
            var position = offset
            for place in 0..<count {
                buffer.initializeElement(at: place, to: element(position))
                // Count up like an odometer, last dimension first.
                var dimension = shape.count - 1
                while dimension >= 0 {
                    index[dimension] += 1
                    position += strides[dimension]
                    if index[dimension] < shape[dimension] { break }
                    position -= shape[dimension] * strides[dimension]
                    index[dimension] = 0
                    dimension -= 1
                }
            }
            filled = count
        }
    }
}
