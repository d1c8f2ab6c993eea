import Foundation
import Testing

@testable import Nets

/// The fixture is a pickle as the original writes it: two slices, five draws. Offsets in it are those that Python's `pickletools` shows.
@Suite("pickled predictions")
struct TestTimePredictionsTests {
    private let fixture: [UInt8]

    init() throws {
        fixture = try Array(
            Data(contentsOf: goldenFolder.appendingPathComponent("checkpoints/fold0_ep2_test_tta5.pkl")))
    }

    private func fault(_ bytes: [UInt8]) -> CheckpointError? {
        do {
            _ = try TestTimePredictions(parsing: bytes)
            return nil
        } catch {
            return error
        }
    }

    /// The fixture with a byte replaced.
    private func changed(_ place: Int, from old: UInt8, to new: UInt8) -> [UInt8] {
        var bytes = fixture
        #expect(bytes[place] == old)
        bytes[place] = new
        return bytes
    }

    private func replacing(_ old: String, with new: String) throws -> [UInt8] {
        var data = Data(fixture)
        while let range = data.range(of: Data(old.utf8)) { data.replaceSubrange(range, with: Data(new.utf8)) }
        return Array(data)
    }

    /// NumPy's mean over the draws in float64.
    @Test("ids, draws and the mean over the draws are NumPy's")
    func values() throws {
        let read = try TestTimePredictions(parsing: fixture)
        #expect(read.sliceIDs == ["ID_0000000aa", "ID_0000000bb"] && read.draws == 5)
        #expect(
            read.outputs == [
                0.4878201499581337, 0.45337592959403994, 0.5553754173219204, 0.34401821754872797, 0.48533733040094373,
                0.5748512029647828, 0.5806383848190307, 0.3056218072772026, 0.594880098104477, 0.4555355928838253,
                0.6850151062011719, 0.33696756255812943,
            ])
    }

    @Test("NumPy 2's name for the same function is known")
    func newNumpy() throws {
        let renamed = try replacing("numpy.core.", with: "numpy._core.")
        #expect(try TestTimePredictions(parsing: renamed) == TestTimePredictions(parsing: fixture))
    }

    @Test("a pickle that asks for anything else is refused by its name")
    func hostile() throws {
        let command = try Array(Data(contentsOf: goldenFolder.appendingPathComponent("checkpoints/hostile.pt")))
        #expect(fault(command)?.fault == .refused && fault(command)?.problem.contains("posix.system") == true)
        let other = fault(try replacing("numpy\nndarray", with: "builtins\neval"))
        #expect(other?.fault == .refused && other?.problem.contains("builtins.eval") == true)
    }

    @Test("a file cut short at any byte is refused as such")
    func truncation() {
        for length in fixture.indices { #expect(fault(Array(fixture[..<length]))?.fault == .truncated, "\(length)") }
    }

    @Test("no changed byte stops the program")
    func damage() {
        for place in fixture.indices {
            for flip in [0x01, 0x04, 0x80, 0xFF] as [UInt8] {
                var damaged = fixture
                damaged[place] ^= flip
                _ = fault(damaged)
            }
        }
    }

    @Test("draws that contradict themselves or each other are refused, and the draw is named")
    func contradictions() {
        // The second draw's ids, recalled from the memo, in another order.
        var swapped = fixture
        #expect(Array(swapped[492..<496]) == [0x68, 4, 0x68, 5])
        swapped.replaceSubrange(492..<496, with: [0x68, 5, 0x68, 4])
        #expect(fault(swapped)?.place == "draw 1 of 5" && fault(swapped)?.fault == .malformed)
        // The second id becomes the first.
        var twice = fixture
        twice.replaceSubrange(58..<60, with: Array("aa".utf8))
        #expect(fault(twice)?.problem.contains("comes twice") == true)
        // 0.637 becomes 2.55; the array says that its columns lie one after the other; it has another shape.
        #expect(fault(changed(326, from: 0x3F, to: 0x40))?.problem.contains("between 0 and 1") == true)
        #expect(fault(changed(320, from: 0x89, to: 0x88))?.problem.contains("order C") == true)
        #expect(fault(changed(312, from: 2, to: 3))?.fault == .malformed)
        // Without outputs, and with them twice.
        #expect(
            fault(changed(282, from: UInt8(ascii: "o"), to: UInt8(ascii: "x")))?.problem.contains("outputs") == true)
        #expect(fault(fixture + [0])?.problem.contains("follow") == true)
    }

    @Test("a draw that is repeated beyond the file's size is refused, not computed")
    func amplification() {
        // The first draw, which the pickle remembers as 1, a hundred times more.
        let draw = Array(fixture[..<482])
        let end: [UInt8] = [0x65, 0x2E]
        #expect(fault(draw + end) == nil)
        let repeated = draw + (0..<100).flatMap { _ in [0x68, 1] as [UInt8] } + end
        #expect(fault(repeated)?.fault == .refused)
    }

    @Test("a file that is no such list says what was expected")
    func others() throws {
        #expect(fault([])?.fault == .truncated)
        #expect(fault(Array("ID,Label\n".utf8))?.fault == .unsupported)
        #expect(fault([0x80, 2, 0x5D, 0x2E])?.problem.contains("a list expected") == true)
        #expect(fault([0x80, 2, 0x5D, 0x4B, 1, 0x61, 0x2E])?.problem.contains("a dict with ids and outputs") == true)
        #expect(fault([0x80, 4, 0x5D, 0x2E])?.problem.contains("protocol 4") == true)
    }
}
