/// One of the three convolutional networks that the solution trains; the raw value is its name in recipes, paths and options.
public enum Backbone: String, CaseIterable, Sendable, Codable {
    case resnet34
    case seResNeXt50 = "se_resnext50_32x4d"
    case efficientNetB3 = "efficientnet-b3"
}
