/// The word that somebody most likely meant, for a message: the one that the fewest edits lead to; nil if all are far off.
///
/// Edits are letters put in, left out, replaced or exchanged with their neighbour (Damerau 1964); as many as a third of the letters.
package func nearestWord(to word: String, in words: [String]) -> String? {
    let close = words.map { ($0, edits(Array(word.lowercased()), Array($0.lowercased()))) }
        .filter { $0.1 <= max(1, max(word.count, $0.0.count) / 3) }
    return close.min { $0.1 < $1.1 }?.0
}

private func edits(_ a: [Character], _ b: [Character]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var rows = [Array(0...b.count)]
    for i in 1...a.count {
        var row = [i]
        for j in 1...b.count {
            var least = min(rows[i - 1][j], row[j - 1]) + 1
            least = min(least, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { least = min(least, rows[i - 2][j - 2] + 1) }
            row.append(least)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}
