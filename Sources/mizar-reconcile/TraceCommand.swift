import Applier
public import ArgumentParser
import Planner
import Topology

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Follow a packet through the tables of a commit, with the row and the line behind each hop.",
        discussion: """
            Without privileges: from the commit alone, as every host holds it once it has settled. With --live, on a host: also \
            what its live rows say and what its programs do with the packet. Exit codes: 0 delivered, or answered by a gateway; 2 \
            dropped or lost; 1 the question has no answer, or programs and rows disagree.
            """)

    @Argument(help: "Who sends: an endpoint's path, such as acme/prod/web/web-1.")
    var from: String

    @Argument(help: "To whom: an endpoint's path, or an address.")
    var to: String

    @OptionGroup var source: SourceOptions

    @Option(name: .customLong("protocol"), help: "icmp (an echo request), tcp, udp, sctp or a number. Default: icmp, with a port tcp.")
    var protocolWord: String?

    @Option(help: "Destination port. Default, where the protocol has ports: \(TraceQuestion.standardPort).")
    var port: UInt16?

    @Option(help: "Source port. Default, where the protocol has ports: \(TraceQuestion.standardSourcePort).")
    var sourcePort: UInt16?

    @Option(help: "Family of addresses: 4 or 6. Default: the one both have, IPv4 first.")
    var ip: TraceQuestion.Family?

    @Option(help: "IPv6 flow label, which has a part in choosing bouncers and dividers.")
    var flowLabel: UInt32 = 0

    @Option(help: "TTL or hop limit that the packet is sent with.")
    var ttl: UInt8 = 64

    @Option(help: "Bytes of the IP packet.")
    var size: Int = TraceQuestion.ping

    @Flag(help: "Run the packet through the programs of this host, too. It is counted like any other, and may make the host ask others.")
    var live = false

    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if flowLabel > 0xf_ffff { throw ValidationError("--flow-label has 20 bits: 0 to 1048575") }
        if !(20...65_535).contains(size) { throw ValidationError("--size is 20 to 65535 bytes") }
        if !live, host.given != nil { throw ValidationError("--host goes with --live") }
        if output.format == .markdown { throw ValidationError("a trace is text or json") }
    }

    private var question: TraceQuestion {
        var question = TraceQuestion(from: from, to: to)
        (question.family, question.protocolWord) = (ip, protocolWord)
        (question.port, question.sourcePort, question.flowLabel) = (port, sourcePort, flowLabel)
        (question.hops, question.size) = (ttl, size)
        return question
    }

    func run() throws {
        let desired = try Reconciliation.load(source, ref: source.revision.ref)
        var trace = try Self.answer { () throws(TraceQuestion.Refusal) in
            try Trace(question, topology: desired.topology, commit: desired.commit)
        }
        if live { try runLive(&trace, desired) }
        switch output.format {
        case .json: try Output.print(try Output.json(trace))
        case .text, .markdown: try Output.print(output.quiet ? trace.closing : trace.text)
        }
        if let live = trace.live, !live.agrees {
            throw Failure("the programs of \(live.host) do something else than its rows say", hint: "this is a defect of mizar-reconcile")
        }
        if !trace.arrives { throw Exit.dropped }
    }

    private func runLive(_ trace: inout Trace, _ desired: Reconciliation.Desired) throws {
        let name = try host.entry(in: desired.topology).name
        let reconciliation = Reconciliation(source: source, host: host, logger: output.logger)
        try reconciliation.check(desired)
        let probes = trace.probes(at: name)
        guard !probes.isEmpty else {
            let hosts = trace.ways.flatMap(\.hops).map(\.host)
            throw Failure(
                "the packet does not come to host \(name)",
                hint: "it comes to \(Set(hosts).sorted().joined(separator: ", "))")
        }
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: false)
        let observation = try store.observe()
        try reconciliation.refuseOthers(observation.image, desired.topology)
        let forwarder = try store.forwarder(observation.image)
        let answers = try probes.map { ($0, try store.run($0, observation.image)) }
        let interfaces = Dictionary(observation.interfaces.map { ($0.ifindex, $0.name) }) { first, _ in first }
        trace.add(
            forwarder, of: name, in: desired.topology, interfaces: interfaces,
            down: Set(observation.interfaces.filter { !$0.isUp }.map(\.ifindex)), answers: answers)
    }

    /// A refusal is an error like any other.
    private static func answer<Value>(_ body: () throws(TraceQuestion.Refusal) -> Value) throws(Failure) -> Value {
        do throws(TraceQuestion.Refusal) {
            return try body()
        } catch {
            throw Failure(error.message, hint: error.hint)
        }
    }
}

extension TraceQuestion.Family: ExpressibleByArgument {}
