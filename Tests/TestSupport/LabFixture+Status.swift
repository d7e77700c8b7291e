import FoundationEssentials

extension LabFixture {
    /// What `status --format json` says of a host.
    public struct Status: Decodable, Sendable {
        public struct LastRound: Decodable, Sendable {
            public var at: String
            public var since: String
            public var outcome: String
            public var commit: String
            public var text: String
        }

        public struct Condition: Decodable, Sendable {
            public var name: String
            public var status: String
            public var since: String?
            public var reason: String
            public var text: String
        }

        public struct Drop: Decodable, Sendable {
            public var reason: String
            public var packets: Int
        }

        public struct Endpoint: Decodable, Sendable {
            public var name: String
            public var interface: String?
            public var device: String?
            public var mac: String?
            public var sentPackets: Int
            public var receivedPackets: Int
            public var directPackets: Int
            public var bouncerPackets: Int
            public var dividerPackets: Int
        }

        /// Of a network or a VPC.
        public struct Sum: Decodable, Sendable {
            public var name: String
            public var endpoints: Int
            public var sentPackets: Int
            public var receivedPackets: Int
            public var directPackets: Int
        }

        public struct Peer: Decodable, Sendable {
            public var address: String
            public var state: String
            public var commit: String
            public var answeredSecondsAgo: Int?
        }

        public struct Table: Decodable, Sendable {
            public var name: String
            public var rows: Int
        }

        public struct Attachment: Decodable, Sendable {
            public var interface: String
            public var point: String
        }

        public struct Uplink: Decodable, Sendable {
            public var port: Int
            public var otherPorts: [Int]
            public var receiveOffload: Bool
            public var usableMtu: Int
            public var mode: String
            public var reason: String
        }

        public struct Pending: Decodable, Hashable, Sendable {
            public var name: String?
            public var network: String
            public var addresses: [String]
        }

        public var host: String
        public var well: Bool
        public var conditions: [Condition]
        public var commit: String?
        public var lastRound: LastRound?
        public var uplink: Uplink?
        public var endpoints: [Endpoint]
        public var networks: [Sum]
        public var vpcs: [Sum]
        public var pending: [Pending]
        public var attachments: [Attachment]
        public var drops: [Drop]
        public var waiting: Int
        public var tables: [Table]
        public var hosts: [Peer]
        public var memoryBytes: Int
    }

    public func status(_ host: String) async throws -> Status {
        let outcome = try await tool(on: host).run("status", "--host", host, "--bpffs", bpffs(host), "--format", "json")
        guard outcome.status == 0 || outcome.status == 2 else { throw FixtureError(text: "status: \(outcome.error)") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let status = try decoder.decode(Status.self, from: Data(outcome.output.utf8))
        guard status.well == (outcome.status == 0) else { throw FixtureError(text: "status: exit \(outcome.status)\n\(outcome.output)") }
        return status
    }

    /// Packets that the host dropped, by reason.
    public func drops(_ host: String) async throws -> [String: Int] {
        Dictionary(try await status(host).drops.map { ($0.reason, $0.packets) }, uniquingKeysWith: +)
    }
}
