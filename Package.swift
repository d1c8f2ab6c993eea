// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "repro",
    products: [
        .executable(name: "repro", targets: ["Program"]),
        .library(name: "Metrics", targets: ["Metrics"]),
        .library(name: "Nets", targets: ["Nets"]),
        .library(name: "Submit", targets: ["Submit"]),
        .library(name: "Repro", targets: ["Repro", "Catalog", "Inputs"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // docs/architecture.md has the map; a test compares it with this.
        .executableTarget(
            name: "Program",
            dependencies: [
                "Basics", "Metrics", "Nets", "Submit", "Inputs", "Catalog", "Repro",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .target(
            name: "Repro",
            dependencies: [
                "Basics", "Metrics", "Nets", "Submit", "Inputs", "Catalog", "CPNG",
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [
                .embedInCode("Resources/recipes/demo.yaml"), .embedInCode("Resources/recipes/mini.yaml"),
                .embedInCode("Resources/recipes/rsna-2019-58th.yaml"),
                // Links to golden/demo.json and golden/mini.json.
                .embedInCode("Resources/golden/golden-demo.json"), .embedInCode("Resources/golden/golden-mini.json"),
            ]),
        .target(name: "Catalog", dependencies: ["Basics", "Metrics", "Submit", "Inputs", "CDICOM", "CSQLite"]),
        .target(name: "Inputs", dependencies: ["Basics", "CArchive", "CDeflate", "CDICOM"]),
        .target(name: "Submit", dependencies: ["Basics", "Metrics"]),
        .target(name: "Nets", dependencies: ["Basics", "CKernels"]),
        .target(name: "Metrics", dependencies: ["Basics"]),
        .target(name: "Basics", dependencies: ["CHash", "COpenSSL"]),

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
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),

        // Random bytes for the readers: scripts/test-faults.
        .executableTarget(
            name: "Fuzz", dependencies: ["Basics", "Inputs", "Nets", "Repro", "Submit", "CFuzzer"], path: "Fuzz",
            exclude: ["corpus"], sources: ["main.swift"]),
        .target(name: "CFuzzer"),

        .target(name: "TestSupport", dependencies: ["Basics", "Inputs"], path: "Tests/Support"),
        .testTarget(name: "BasicsTests", dependencies: ["Basics", "TestSupport"]),
        .testTarget(name: "CatalogTests", dependencies: ["Catalog", "Repro", "CDICOM", "TestSupport"]),
        .testTarget(name: "InputsTests", dependencies: ["Inputs", "Repro", "CDICOM", "TestSupport"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "TestSupport"]),
        .testTarget(name: "NetsTests", dependencies: ["Nets", "CKernels"]),
        .testTarget(name: "ProgramTests", dependencies: ["Program", "CDICOM", "TestSupport"]),
        .testTarget(name: "ReproTests", dependencies: ["Repro", "TestSupport"]),
        .testTarget(name: "SubmitTests", dependencies: ["Submit", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx17
)
