// swift-tools-version: 6.1
import PackageDescription

// Feeds the kit's readers with random bytes; `scripts/test-faults` builds and runs it. The sources are the kit's own, by links.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .executableTarget(name: "Fuzz", dependencies: ["Parsers", "Submit", "Nets", "CFuzzer"]),
        .target(
            name: "Parsers",
            dependencies: [
                "Nets", "Metrics", "CArchive", "CDeflate", "CDICOM", "CHash",
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "Yams", package: "Yams"),
            ]),
        .target(name: "Submit", dependencies: ["Metrics", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "CFuzzer"),
        .target(name: "Nets", dependencies: ["CKernels"]),
        .target(name: "Metrics"),
        .target(name: "CKernels", cSettings: [.define("NDEBUG")]),
        .target(
            name: "CDICOM",
            linkerSettings: [
                .linkedLibrary("dcmjpeg"), .linkedLibrary("dcmjpls"), .linkedLibrary("dcmimgle"),
                .linkedLibrary("dcmdata"), .linkedLibrary("oflog"), .linkedLibrary("ofstd"),
            ]),
        .target(name: "CHash"),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive"),
        .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate"),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx17
)
