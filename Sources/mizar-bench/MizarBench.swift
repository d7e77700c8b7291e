import CBPF
import FoundationEssentials
import Glibc
import Lab

/// `make bench`: a supervisor, which cleans up whatever happens, and the run itself, a process of its own.
@main
struct MizarBench {
    @MainActor static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        guard geteuid() == 0 else {
            complain("the bench makes network namespaces and loads programs: it needs root (sudo make bench)")
            exit(1)
        }
        if arguments.first == "--measure", arguments.count >= 3 {
            let isQuick = arguments.contains("--quick")
            let bench = Bench(prefix: arguments[1], folder: arguments[2], isQuick: isQuick)
            arguments = arguments.dropFirst(3).filter { $0 != "--quick" }
            exit(await measure(bench, Set(arguments)) ? 0 : 1)
        }
        let supervisor = Supervisor(arguments)
        // No other thread is there before it returns: one that lets signals through would end the process.
        let code = supervisor.measure()
        await supervisor.clean()
        exit(code)
    }

    static func complain(_ text: String) { say("error: \(text)", to: STDERR_FILENO) }

    /// A line at once, whatever the stream is.
    static func say(_ text: String, to stream: Int32 = STDOUT_FILENO) {
        (text + "\n").withCString { _ = write(stream, $0, strlen($0)) }
    }

    private static let sections: [(name: String, run: @Sendable (Bench) async throws -> [Report.Section])] = [
        ("roles", { [Roles.run($0)] }), ("streams", Streams.run), ("packets", PacketCosts.run),
        ("bouncer", { [try await Bouncer.run($0)] }),
        ("memory", Memory.run), ("commit", CommitToPacket.run), ("attach", Attach.run),
    ]

    /// All sections, or those of `names`; false if one came to no end. Missed goals are results like others.
    private static func measure(_ bench: Bench, _ names: Set<String>) async -> Bool {
        let known = Set(sections.map(\.name))
        guard names.isSubset(of: known) else {
            complain(
                "no such section: \(names.subtracting(known).sorted().joined(separator: ", ")); there are \(known.sorted().joined(separator: ", "))"
            )
            return false
        }
        var report = Report(versions: await Versions.read(bench), rounds: bench.rounds)
        say(report.heading)
        for (name, run) in sections where names.isEmpty || names.contains(name) {
            var found: [Report.Section]
            do {
                found = try await run(bench)
            } catch {
                found = [Report.Section(name, name, note: "")]
                found[0].failure = "\(error)"
            }
            for section in found { say(section.text) }
            report.sections += found
        }
        let goals = report.sections.flatMap(\.goals)
        say("\n\(goals.count { $0.isMet }) of \(goals.count) goals met; build/bench.json has every value")
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            try Bench.write(String(decoding: encoder.encode(report), as: UTF8.self) + "\n", to: "build/bench.json")
        } catch {
            complain("build/bench.json: \(error)")
            return false
        }
        return report.sections.allSatisfy { $0.failure == nil }
    }
}
