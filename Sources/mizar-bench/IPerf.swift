import FoundationEssentials
import Glibc
import Lab

/// TCP by iperf3, from an endpoint to its server at the other.
enum IPerf {
    struct Outcome {
        /// Gbit/s that arrived, in each tenth of a second.
        let rates: [Double]
        /// CPU seconds of both ends and of ksoftirqd for each 10⁹ bytes.
        let cost: Double
    }

    /// The kernel's own default. What paces, as BBR does, measures its pacing more than the way.
    private static let congestionControl = "cubic"
    /// The client's CPU, and the server's: left alone, they move and share one.
    private static let affinity = sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 ? "0,1" : "0,0"

    /// Starts a server, which ends with the lab.
    static func serve(in namespace: String, _ bench: Bench) async throws {
        try await bench.run("iperf3", "-s", "-D", "-J", "-i", "0.1", in: namespace)
    }

    static func run(streams: Int, in namespace: String, to server: String, _ bench: Bench) async throws -> Outcome {
        let words = [
            "iperf3", "-c", server, "-t", "1", "-P", "\(streams)", "-C", congestionControl, "-A", affinity, "-J", "--get-server-output",
        ]
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var complaint = ""
        for _ in 0..<20 {
            let before = try softirqSeconds()
            // It fails while the server still starts, or ends the test before.
            let outcome = try await bench.outcome(words, in: namespace)
            let kernel = try softirqSeconds() - before
            let answer = try decoder.decode(Answer.self, from: Data(outcome.output.utf8))
            if let found = answer.outcome(kernel: kernel) { return found }
            complaint = answer.error ?? "no result"
            usleep(100_000)
        }
        throw Bench.Failure("iperf3 in \(namespace): \(complaint)")
    }

    /// Of what it says, in snake_case.
    private struct Answer: Decodable {
        struct Sum: Decodable {
            let bitsPerSecond: Double
            let bytes: Double
            let seconds: Double
        }
        struct Interval: Decodable {
            let sum: Sum
        }
        struct Server: Decodable {
            let intervals: [Interval]
        }
        /// In percent of the time.
        struct CPU: Decodable {
            let hostTotal: Double
            let remoteTotal: Double
        }
        struct End: Decodable {
            let sumReceived: Sum?
            let cpuUtilizationPercent: CPU?
        }
        let end: End
        let error: String?
        let serverOutputJson: Server?

        /// `kernel`: what ksoftirqd took.
        func outcome(kernel: Double) -> Outcome? {
            guard let received = end.sumReceived, let cpu = end.cpuUtilizationPercent, received.bytes > 0 else { return nil }
            // The last one is what was left at the end, of any length.
            let rates = (serverOutputJson?.intervals ?? []).filter { $0.sum.seconds > 0.05 }.map { $0.sum.bitsPerSecond * 1e-9 }
            guard !rates.isEmpty else { return nil }
            let ends = (cpu.hostTotal + cpu.remoteTotal) / 100 * received.seconds
            return Outcome(rates: rates, cost: (ends + kernel) / (received.bytes * 1e-9))
        }
    }

    /// CPU seconds of the ksoftirqd threads; what softirqs take otherwise counts for whom they interrupt.
    private static func softirqSeconds() throws -> Double {
        var ticks = 0
        for thread in threads {
            let fields = try Bench.text(of: "/proc/\(thread)/stat").split(separator: " ")
            ticks += (Int(fields[13]) ?? 0) + (Int(fields[14]) ?? 0)
        }
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static let threads: [Int] = (1...1000).filter { pid in
        (try? Bench.text(of: "/proc/\(pid)/comm"))?.hasPrefix("ksoftirqd/") ?? false
    }
}
