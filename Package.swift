// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

let package = Package(
    name: "mizar-reconcile",
    products: [.executable(name: "mizar-reconcile", targets: ["mizar-reconcile"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // System libraries: Debian's packages, found by pkg-config.
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CGit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
        // libgit2-dev depends on it, by way of libssh2-1-dev.
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        // libbpf, the shims Swift needs around it, and mizar_abi.h: every map key and value, defined once.
        .target(
            name: "CBPF",
            linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf"), .linkedLibrary("z")]),

        // The model: addresses, names, places and the typed Topology. Imports nothing.
        .target(name: "Topology", swiftSettings: settings),
        // git and YAML in, a checked Topology out.
        .target(
            name: "Desired", dependencies: ["Topology", "CYAML", "CGit2", "COpenSSL", systemPackage],
            swiftSettings: settings),
        // Placement, compilation, diff, order, text. Pure: imports the model alone.
        .target(name: "Planner", dependencies: ["Topology"], swiftSettings: settings),
        // The kernel: load, pin, attach, observe, execute a plan.
        .target(
            name: "Applier", dependencies: ["Topology", "Planner", "CBPF", systemPackage],
            swiftSettings: settings),
        // The whole topology on one machine, in network namespaces.
        .target(
            name: "Lab", dependencies: ["Topology", "CBPF", subprocess, systemPackage],
            swiftSettings: settings),
        .executableTarget(
            name: "mizar-reconcile",
            dependencies: [
                "Topology", "Desired", "Planner", "Applier", "Lab", "CBPF", argumentParser, logging, systemPackage,
            ],
            swiftSettings: settings),
        // `make bench`; the loops that send, receive and wait are C.
        .target(name: "CBench"),
        .executableTarget(
            name: "mizar-bench",
            dependencies: ["Topology", "Planner", "Applier", "Lab", "CBPF", "CBench", systemPackage],
            swiftSettings: settings, linkerSettings: [.linkedLibrary("m")]),

        .target(
            name: "TestSupport",
            dependencies: ["Topology", "Desired", "Planner", "Applier", "CBPF", subprocess, systemPackage],
            path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(name: "TopologyTests", dependencies: ["Topology", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "DesiredTests", dependencies: ["Topology", "Desired", "CBPF", "TestSupport", subprocess, systemPackage],
            exclude: ["Corpus"], swiftSettings: settings),
        .testTarget(
            name: "PlannerTests", dependencies: ["Topology", "Desired", "Planner", "TestSupport"],
            exclude: ["Golden"], swiftSettings: settings),
        .testTarget(
            name: "ApplierTests", dependencies: ["Topology", "Desired", "Planner", "Applier", "CBPF", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "DatapathTests", dependencies: ["Topology", "Planner", "Applier", "CBPF", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "CommandTests",
            dependencies: ["Topology", "Desired", "Planner", "Applier", "CBPF", "Lab", "TestSupport", subprocess, systemPackage],
            exclude: ["HowTo", "Traffic", "Servers", "Upgrade"],
            swiftSettings: settings),
    ],
    cLanguageStandard: .c17
)
