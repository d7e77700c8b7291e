import Glibc
import Lab

/// What the figures depend on.
enum Versions {
    static func read(_ bench: Bench) async -> [String: String] {
        var found = [
            "kernel": await line("uname", "-r"), "clang": await line("clang", "--version"),
            "swift": await line("swift", "--version"), "iperf3": await line("iperf3", "--version"),
            "commit": await line("git", "describe", "--always", "--dirty", "--abbrev=12"),
        ]
        let model = try? Bench.text(of: "/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
        found["cpu"] = "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) × \(model?.split(separator: ":").last?.drop { $0 == " " } ?? "unknown")"
        found["load before"] = (try? Bench.text(of: "/proc/loadavg")).map { String($0.prefix { $0 != "\n" }) }
        return found
    }

    /// The first line that a program prints.
    private static func line(_ words: String...) async -> String {
        let outcome = try? await Command.run(words[0], Array(words.dropFirst()))
        return (outcome?.output.split(separator: "\n").first).map(String.init) ?? "unknown"
    }
}
