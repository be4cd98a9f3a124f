// swift-tools-version: 6.2
import PackageDescription

/// Every room of the house is checked alike: Swift 6 mode, strict memory safety, lifetimes for borrowed bytes.
let house: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func room(_ name: String, _ mayImport: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: mayImport, swiftSettings: house)
}

func tests(_ name: String, _ of: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: of, swiftSettings: house)
}

let package = Package(
    name: "whence",
    products: [
        .executable(name: "whence", targets: ["whence"]),
        .library(name: "WhenceProtocol", targets: ["WhenceCore", "WhenceProtocol"]),
        .library(name: "WhenceEngine", targets: ["WhenceCore", "WhenceCatalog", "WhenceEngine", "WhenceTabular"]),
        .library(name: "WhenceClient", targets: ["WhenceCore", "WhenceProtocol", "WhenceClient"]),
        .library(name: "WhenceModels", targets: ["WhenceCore", "WhenceModels"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CRocksDB", pkgConfig: "rocksdb",
            providers: [.apt(["librocksdb-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CPrefetch"),
        .target(name: "CRocksDBExtras", dependencies: ["CRocksDB"]),
        .target(name: "CChecksum"),
        room("RocksDB", ["CRocksDB", "CRocksDBExtras"]),
        room("WhenceCore"),
        room("WhenceCatalog", ["WhenceCore", .product(name: "Yams", package: "Yams"), .product(name: "Crypto", package: "swift-crypto")]),
        room("WhenceEngine", ["WhenceCore", "WhenceCatalog", "RocksDB", "CPrefetch"]),
        room("WhenceTabular", ["WhenceCore", "CZstd", "CZlib"]),
        room("WhenceProtocol", ["WhenceCore", "CChecksum", "CZstd", .product(name: "NIOCore", package: "swift-nio")]),
        room(
            "WhenceClient",
            [
                "WhenceCore", "WhenceProtocol", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        room(
            "WhenceServer",
            [
                "WhenceCore", "WhenceCatalog", "WhenceEngine", "WhenceProtocol",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"), .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"), .product(name: "Yams", package: "Yams"),
            ]),
        .target(name: "CForest"),
        room("WhenceModels", ["WhenceCore", "CForest"]),
        .executableTarget(
            name: "whence",
            dependencies: [
                "WhenceCore", "WhenceCatalog", "WhenceEngine", "WhenceModels", "WhenceTabular", "WhenceProtocol",
                "WhenceClient", "WhenceServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),
        .target(
            name: "StoreFixtures", dependencies: ["RandomFixtures", "WhenceEngine", "WhenceCatalog", "WhenceCore"],
            path: "Tests/Fixtures/StoreFixtures",
            swiftSettings: house),
        .executableTarget(
            name: "KillWriter", dependencies: ["RandomFixtures", "StoreFixtures", "WhenceEngine", "WhenceCatalog", "WhenceCore"],
            path: "Tests/Fixtures/KillWriter", swiftSettings: house),
        .target(
            name: "RandomFixtures", dependencies: ["WhenceCore"], path: "Tests/Fixtures/RandomFixtures", swiftSettings: house),
        .target(
            name: "CertificateFixtures",
            dependencies: [
                .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
            ], path: "Tests/Fixtures/CertificateFixtures", swiftSettings: house),
        .target(name: "CAllocations", path: "Tests/Fixtures/CAllocations"),
        .executableTarget(
            name: "CountAllocations", dependencies: ["CAllocations", "WhenceModels", "WhenceCore"], path: "Tests/Fixtures/CountAllocations",
            swiftSettings: house),
        .executableTarget(
            name: "CountReadAllocations",
            dependencies: [
                "CAllocations", "StoreFixtures", "WhenceServer", "WhenceProtocol", "WhenceEngine", "WhenceCatalog", "WhenceCore",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
            ], path: "Tests/Fixtures/CountReadAllocations", swiftSettings: house),
        tests("RocksDBTests", ["RocksDB", "StoreFixtures"]),
        tests("WhenceCoreTests", ["WhenceCore", "RandomFixtures"]),
        tests("WhenceCatalogTests", ["WhenceCatalog", "WhenceCore"]),
        tests("WhenceEngineTests", ["WhenceEngine", "WhenceCatalog", "WhenceCore", "RocksDB", "RandomFixtures", "StoreFixtures"]),
        tests("WhenceTabularTests", ["WhenceTabular", "WhenceCore"]),
        tests("WhenceProtocolTests", ["WhenceProtocol", "WhenceCore", "RandomFixtures", .product(name: "NIOCore", package: "swift-nio")]),
        tests(
            "WhenceClientTests",
            [
                "WhenceClient", "WhenceServer", "WhenceProtocol", "WhenceEngine", "WhenceCatalog", "WhenceCore", "CertificateFixtures",
                "StoreFixtures",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests(
            "WhenceServerTests",
            [
                "WhenceServer", "WhenceProtocol", "WhenceEngine", "WhenceCatalog", "WhenceCore", "CertificateFixtures", "StoreFixtures",
                "RandomFixtures", "CountReadAllocations",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "Logging", package: "swift-log"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        tests("WhenceModelsTests", ["WhenceModels", "WhenceCore", "CForest", "RandomFixtures", "CountAllocations"]),
        tests("CommandLineTests", ["whence", "StoreFixtures"]),
        tests("PropertyTests", ["WhenceEngine", "WhenceCatalog", "WhenceCore", "RandomFixtures"]),
        tests(
            "FaultTests",
            ["RocksDB", "WhenceEngine", "WhenceCatalog", "WhenceCore", "RandomFixtures", "StoreFixtures", "KillWriter"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
