// swift-tools-version: 6.1
import PackageDescription

// Programs that use the kit's libraries as any other package would; `make test` builds and runs them.
let package = Package(
    name: "examples",
    dependencies: [.package(name: "repro", path: "..")],
    targets: [
        .executableTarget(
            name: "ScoreFile",
            dependencies: [.product(name: "Metrics", package: "repro"), .product(name: "Submit", package: "repro")]),
        .executableTarget(
            name: "PredictSlice",
            dependencies: [
                .product(name: "Metrics", package: "repro"), .product(name: "Nets", package: "repro"),
                .product(name: "Repro", package: "repro"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
