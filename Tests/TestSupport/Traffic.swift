import FoundationEssentials
import Subprocess
import SystemPackage

/// Real packets between a lab's endpoints; the work is done by Tests/CommandTests/Traffic/traffic.py.
extension LabFixture {
    struct Place: Encodable {
        var namespace: String
        var addresses: [String]
        var name = ""
        var port: Int?
    }

    private struct MatrixRequest: Encodable {
        var places: [String: Place]
        var reach: [[String]]
        var apart: [[String]]
        var unanswered: [[String]]
        var silent: [Silent]
        var kinds = ["ping", "tcp", "udp", "http"]
        var timeout = 4.0
    }

    private struct Silent: Encodable {
        var from: String
        var addresses: [String]

        func encode(to encoder: any Encoder) throws {
            var list = encoder.unkeyedContainer()
            try list.encode(from)
            try list.encode(addresses)
        }
    }

    private struct MatrixAnswer: Decodable {
        var checks: Int
        var failures: [String]
    }

    /// What did not work of: every endpoint reaches every other of its VPC by ping, TCP, UDP and HTTP, over IPv4 and
    /// IPv6, and each time the right one answers; no endpoint reaches one of another VPC.
    ///
    /// - Parameters:
    ///   - except: endpoints that nobody reaches, and that get no answer from anybody.
    ///   - silent: addresses that must not answer to the endpoint in front of them.
    public func failures(
        _ fleet: Fleet, except: Set<String> = [], silent: [(from: String, addresses: [String])] = [],
        kinds: [String] = ["ping", "tcp", "udp", "http"]
    ) async throws -> [String] {
        var places: [String: Place] = [:]
        for endpoint in fleet.endpoints {
            places[endpoint.path] = Place(namespace: path(endpoint), addresses: endpoint.addresses)
        }
        let within = fleet.pairs(within: true)
        let out = within.filter { except.contains($0.path) || except.contains($1.path) }
        let isOut = { (pair: (Fleet.Endpoint, Fleet.Endpoint)) in except.contains(pair.0.path) || except.contains(pair.1.path) }
        let request = MatrixRequest(
            places: places, reach: within.filter { !isOut($0) }.map { [$0.path, $1.path] },
            apart: (fleet.pairs(within: false) + out.filter { except.contains($1.path) }).map { [$0.path, $1.path] },
            unanswered: out.filter { !except.contains($1.path) }.map { [$0.path, $1.path] },
            silent: silent.map { Silent(from: $0.from, addresses: $0.addresses) }, kinds: kinds)
        let answer = try await traffic("matrix", request, MatrixAnswer.self)
        if answer.checks == 0 { return ["nothing was checked"] }
        return answer.failures
    }

    /// Of a host endpoint it is its host's.
    func path(_ endpoint: Fleet.Endpoint) -> String {
        endpoint.isHost ? "/run/netns/" + namespace(host: endpoint.host) : path(endpoint.path)
    }

    func path(_ endpoint: String) -> String { "/run/netns/" + namespace(endpoint: endpoint) }

    // MARK: Steady traffic

    /// What a TCP conversation and a stream of numbered UDP packets saw.
    public struct FlowReport: Decodable, Sendable, CustomStringConvertible {
        /// Questions answered over the one TCP connection.
        public var turns: Int
        /// The longest time between two answers, in seconds.
        public var tcpGap: Double
        /// Why the connection ended, if it did.
        public var error: String?
        public var sent: Int
        public var received: Int
        /// The longest time without a UDP packet that arrived, in seconds.
        public var udpGap: Double

        public var lost: Int { sent - received }
        public var isUnharmed: Bool { error == nil && lost == 0 && turns > 0 && sent > 0 }

        public var description: String {
            "\(turns) TCP turns, longest gap \(tcpGap) s, \(error ?? "no error"); \(lost) of \(sent) UDP packets lost, "
                + "longest gap \(udpGap) s"
        }
    }

    private struct SteadyRequest: Encodable {
        struct Flow: Encodable {
            var from: Place
            var to: Place
            var address: String
            var rate: Int
        }
        var flows: [Flow]
        var ready: String
    }

    private struct SteadyAnswer: Decodable { var flows: [FlowReport] }

    /// Runs `body` while one TCP conversation and one UDP stream go from each first endpoint to its second's first
    /// address, or to its IPv6 address.
    public func underTraffic(
        _ flows: [(from: String, to: String)], of fleet: Fleet, rate: Int = 1000, ipv6: Bool = false,
        _ body: () async throws -> Void
    ) async throws -> [FlowReport] {
        let ready = "\(git.folder)/ready-\(UInt32.random(in: 0...UInt32.max))"
        let request = SteadyRequest(
            flows: flows.map { flow in
                let to = fleet[flow.to].addresses
                return SteadyRequest.Flow(
                    from: Place(namespace: path(fleet[flow.from]), addresses: fleet[flow.from].addresses),
                    to: Place(namespace: path(fleet[flow.to]), addresses: to),
                    address: to.first { $0.contains(":") == ipv6 } ?? "", rate: rate)
            }, ready: ready)
        let line = try Self.line(request)
        let result = try await Subprocess.run(
            Self.interpreter, arguments: [Self.script, "steady"], input: .inputWriter, output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        ) { execution in
            _ = try await execution.standardInputWriter.write(line)
            let isFlowing = try await eventually(within: .seconds(30)) {
                FilePath(ready).canOpen
            }
            if isFlowing { try await body() }
            try await execution.standardInputWriter.finish()
            return isFlowing
        }
        guard result.terminationStatus.isSuccess, result.closureResult else {
            throw FixtureError(text: "no steady traffic: \(result.standardOutput)\(result.standardError)")
        }
        return try Self.decoder.decode(SteadyAnswer.self, from: Data(result.standardOutput.utf8)).flows
    }

    // MARK: Frames

    /// A UDP packet as no stack would send it.
    public struct Frame: Encodable, Sendable {
        public struct Tunnel: Encodable, Sendable {
            public var vni: Int
            public var inner: Inner
            /// Hexadecimal.
            public var options = ""
            public var flags = 0

            public init(vni: Int, inner: Inner) { (self.vni, self.inner) = (vni, inner) }
        }

        /// The frame in a tunnel.
        public struct Inner: Encodable, Sendable {
            public var srcMac = "02:00:00:00:00:99"
            public var dstMac = "02:00:00:00:00:98"
            public var src: String
            public var dst: String

            public init(src: String, dst: String) { (self.src, self.dst) = (src, dst) }
        }

        public struct ARP: Encodable, Sendable {
            public var mac: String
            public var sender: String
            public var target: String

            public init(mac: String, sender: String, target: String) { (self.mac, self.sender, self.target) = (mac, sender, target) }
        }

        /// What the sender leaves to others (struct virtio_net_hdr). Offsets are from the frame's first byte.
        public struct Offload: Encodable, Sendable {
            public var csumStart: Int?
            public var csumOffset: Int?
            /// 1: TCPv4, 3: UDP in fragments, 4: TCPv6, 5: UDP datagrams.
            public var gsoType: Int?
            public var gsoSize: Int?
            /// Bytes of the headers that each packet of the frame has.
            public var header: Int?

            public init(
                csumStart: Int? = nil, csumOffset: Int? = nil, gsoType: Int? = nil, gsoSize: Int? = nil, header: Int? = nil
            ) {
                (self.csumStart, self.csumOffset) = (csumStart, csumOffset)
                (self.gsoType, self.gsoSize, self.header) = (gsoType, gsoSize, header)
            }
        }

        public var srcMac: String
        public var dstMac: String?
        public var src: String
        public var dst: String
        /// 802.1Q tags.
        public var vlans: [Int]?
        /// IPv4 options, hexadecimal, a multiple of four bytes.
        public var options: String?
        /// Bytes of the UDP datagram a fragment.
        public var fragment: Int?
        public var reverse: Bool?
        public var payload: Int?
        public var dport: Int?
        public var geneve: Tunnel?
        public var arp: ARP?
        public var count: Int?
        /// Seconds from one to the next.
        public var pace: Double?
        public var offload: Offload?
        /// The whole frame, in place of all that says what is in it.
        public var hex: String?

        /// A frame as it stands.
        public init(_ bytes: [UInt8], _ offload: Offload? = nil) {
            (srcMac, src, dst) = ("", "", "")
            hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            self.offload = offload
        }

        public init(srcMac: String, src: String, dst: String) {
            (self.srcMac, self.src, self.dst) = (srcMac, src, dst)
        }
    }

    /// A datagram that a listener got.
    public struct Received: Decodable, Sendable, Hashable {
        public var at: String
        public var size: Int
        public var from: String
    }

    private struct FramesRequest: Encodable {
        var namespace: String
        var interface: String
        var frames: [Frame]
        var listen: [Place]
        var expect: Int
        var wait: Double
        var bypass: Bool
        var answer: String?
    }

    private struct FramesAnswer: Decodable {
        var received: [Received]
        var answer: String?
        var refused: Int
    }

    /// Sends frames out of an interface and gives what the endpoints' UDP servers on port 7001 + 1 got of it.
    ///
    /// - Parameter bypass: past the interface's egress filters.
    public func send(
        _ frames: [Frame], from namespace: String, _ interface: String = "eth0", to endpoints: [String] = [],
        expect: Int = 1, wait: Double = 3, bypass: Bool = false
    ) async throws -> [Received] {
        try await attempt(frames, from: namespace, interface, to: endpoints, expect: expect, wait: wait, bypass: bypass).received
    }

    /// The same, and how many of the frames with an offload the sender's own kernel refused.
    public func attempt(
        _ frames: [Frame], from namespace: String, _ interface: String = "eth0", to endpoints: [String] = [],
        expect: Int = 1, wait: Double = 3, bypass: Bool = false
    ) async throws -> (received: [Received], refused: Int) {
        let answer = try await traffic(
            "frames",
            FramesRequest(
                namespace: "/run/netns/\(namespace)", interface: interface, frames: frames,
                listen: endpoints.map { Place(namespace: path($0), addresses: [], name: $0) }, expect: expect, wait: wait,
                bypass: bypass),
            FramesAnswer.self)
        return (answer.received, answer.refused)
    }

    /// Asks by ARP, and gives the MAC that the answer names.
    public func askARP(_ arp: Frame.ARP, from endpoint: String, wait: Double = 2) async throws -> String? {
        var frame = Frame(srcMac: arp.mac, src: arp.sender, dst: arp.target)
        frame.arp = arp
        return try await traffic(
            "frames",
            FramesRequest(
                namespace: path(endpoint), interface: "eth0", frames: [frame], listen: [], expect: 0, wait: wait, bypass: false,
                answer: arp.target),
            FramesAnswer.self
        ).answer
    }

    // MARK: The script

    private static let script: String = {
        let here = FilePath(#filePath)
        return here.removingLastComponent().removingLastComponent().appending("CommandTests/Traffic/traffic.py").string
    }()

    /// The system's own: a wrapper of some environment manager would only be slower.
    public static let python = FilePath("/usr/bin/python3").canOpen ? "/usr/bin/python3" : "python3"

    private static var interpreter: Executable { python.contains("/") ? .path(FilePath(python)) : .name(python) }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    private static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    private func traffic<Answer: Decodable>(_ mode: String, _ request: some Encodable, _ type: Answer.Type) async throws -> Answer {
        let result = try await Subprocess.run(
            Self.interpreter, arguments: [Self.script, mode], input: .string(try Self.line(request)),
            output: .string(limit: 16 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            throw FixtureError(text: "traffic.py \(mode): \(result.standardOutput)\(result.standardError)")
        }
        return try Self.decoder.decode(type, from: Data(result.standardOutput.utf8))
    }
}

extension FilePath {
    fileprivate var canOpen: Bool {
        guard let file = try? FileDescriptor.open(self, .readOnly) else { return false }
        try? file.close()
        return true
    }

}
