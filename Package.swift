// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "repro",
    products: [.executable(name: "repro", targets: ["Repro"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "Repro",
            dependencies: [
                "Nets", "Metrics", "Submit", "CArchive", "CDeflate", "CDICOM", "CHash", "CPNG",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [
                .embedInCode("Resources/recipes/demo.yaml"), .embedInCode("Resources/recipes/rsna-2019-58th.yaml"),
                // A link to golden/demo.json.
                .embedInCode("Resources/golden/golden-demo.json"),
            ]),
        .target(name: "Nets", dependencies: ["CKernels"]),
        .target(name: "Metrics"),
        .target(
            name: "Submit",
            dependencies: ["Metrics", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "CKernels", cSettings: [.define("NDEBUG")]),
        .target(
            name: "CDICOM",
            linkerSettings: [
                .linkedLibrary("dcmjpeg"), .linkedLibrary("dcmjpls"), .linkedLibrary("dcmimgle"),
                .linkedLibrary("dcmdata"), .linkedLibrary("oflog"), .linkedLibrary("ofstd"),
            ]),
        .target(name: "CHash"),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev", "zlib1g-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .testTarget(
            name: "ReproTests",
            dependencies: [
                "Repro", "CDICOM", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .testTarget(name: "NetsTests", dependencies: ["Nets", "CKernels"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics"]),
        .testTarget(name: "SubmitTests", dependencies: ["Submit", "Metrics"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx17
)
