// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "whence-benchmarks",
    dependencies: [
        .package(name: "whence", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(name: "Workload", dependencies: [.product(name: "WhenceEngine", package: "whence")], path: "Sources/Workload"),
        .executableTarget(
            name: "Figures", dependencies: ["Workload", .product(name: "WhenceEngine", package: "whence")], path: "Sources/Figures"),
        .executableTarget(
            name: "Scoring", dependencies: [.product(name: "WhenceModels", package: "whence")], path: "Sources/Scoring"),
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
