// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "whence-benchmarks",
    dependencies: [
        .package(name: "whence", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .target(name: "Workload", dependencies: [.product(name: "WhenceEngine", package: "whence")], path: "Sources/Workload"),
        .executableTarget(
            name: "Figures", dependencies: ["Workload", .product(name: "WhenceEngine", package: "whence")], path: "Sources/Figures"),
        .executableTarget(
            name: "Scoring", dependencies: [.product(name: "WhenceModels", package: "whence")], path: "Sources/Scoring"),
        .executableTarget(
            name: "Load",
            dependencies: [
                .product(name: "WhenceProtocol", package: "whence"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Sources/Load",
            // Each connection and the run live on one event loop, and what checks of exclusive access would cost there is no server's.
            swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"])]),
        .executableTarget(
            name: "EngineBenchmarks",
            dependencies: [
                "Workload", .product(name: "WhenceEngine", package: "whence"), .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/EngineBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ],
    swiftLanguageModes: [.v6]
)
