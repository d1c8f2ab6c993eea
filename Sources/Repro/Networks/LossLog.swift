/// The loss of every optimisation step of a training, in a file beside its weights.
///
/// CSV with the columns `step`, from 1, and `loss`, the shortest text that reads back to the same number: its bits.
package struct LossLog: Sendable, Equatable {
    package static let fileName = "losses.csv"
    private static let header = "step,loss"

    /// In the order of the steps.
    package var losses: [Double] = []

    package init(_ losses: [Double] = []) { self.losses = losses }

    package var text: String {
        "\(Self.header)\n" + losses.enumerated().map { "\($0 + 1),\($1)\n" }.joined()
    }

    /// The first `count` steps of a file's text; nil if it does not have them.
    package init?(first count: Int, of text: String) {
        let lines = text.split(separator: "\n")
        guard lines.first == Self.header[...], lines.count > count else { return nil }
        for (index, line) in lines[1..<(1 + count)].enumerated() {
            let fields = line.split(separator: ",")
            guard fields.count == 2, fields[0] == "\(index + 1)", let loss = Double(fields[1]) else { return nil }
            losses.append(loss)
        }
    }
}
