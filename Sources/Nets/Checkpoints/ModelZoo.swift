/// The eight hexadecimal digits that a model-zoo file name ends with, as `333f7ec4` in `resnet34-333f7ec4.pth`; nil without them.
///
/// They are the first eight digits of the file's SHA-256 (`torch.hub.load_state_dict_from_url` checks the same): a file whose
/// hash begins otherwise is damaged or not what its name says.
package func modelZooHash(inFileName name: String) -> String? {
    guard let dot = name.lastIndex(of: "."), let dash = name[..<dot].lastIndex(of: "-") else { return nil }
    let digits = name[name.index(after: dash)..<dot]
    guard digits.utf8.count == 8, digits.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else { return nil }
    return String(digits)
}
