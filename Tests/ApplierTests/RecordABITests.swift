import CBPF
import Planner
import Testing
import Topology

@testable import Applier

struct RecordABITests {
    @Test("the model has the header's reasons, stages and ages")
    func words() {
        let words = (1..<MZR_DROP_COUNT.rawValue).map { String(cString: mzr_drop_word($0)) }
        #expect(DropReason.allCases.map(\.rawValue) == words)
        #expect(Stage.divider.rawValue == UInt8(MZR_STAGE_DIVIDER.rawValue) && Stage.bouncer.rawValue == UInt8(MZR_STAGE_BOUNCER.rawValue))
        #expect(Stage.host.rawValue == UInt8(MZR_STAGE_HOST.rawValue) && Stage.last.rawValue == UInt8(MZR_STAGE_LAST.rawValue))
    }

    @Test("the structs that Swift sees are those of the header")
    func layouts() {
        #expect(ConfigRow.overhead == MZR_OVERHEAD_STAGED)
        #expect(MemoryLayout<mzr_endpoint_key>.size == 20)
        #expect(MemoryLayout<mzr_endpoint>.size == 24)
        #expect(MemoryLayout<mzr_network_key>.size == 24)
        #expect(MemoryLayout<mzr_network>.size == 288)
        #expect(MemoryLayout<mzr_vpc>.size == 440)
        #expect(MemoryLayout<mzr_direct>.size == 32)
        #expect(MemoryLayout<mzr_host>.size == 24)
        #expect(MemoryLayout<mzr_port>.size == 32)
        #expect(MemoryLayout<mzr_port_mac>.size == 8)
        #expect(MemoryLayout<mzr_traffic>.size == 56)
        #expect(MemoryLayout<mzr_drop>.size == 16)
        #expect(MemoryLayout<mzr_config>.size == 32)
        #expect(MemoryLayout<mzr_applied>.size == 56)
        #expect(MemoryLayout<mzr_datapath>.size == 16)
        #expect(MemoryLayout<mzr_endpoint>.offset(of: \.network) == 8)
        #expect(MemoryLayout<mzr_endpoint>.offset(of: \.kind) == 16)
        #expect(MemoryLayout<mzr_network>.offset(of: \.bouncers) == 16)
        #expect(MemoryLayout<mzr_vpc>.offset(of: \.lengths4) == 272)
        #expect(MemoryLayout<mzr_vpc>.offset(of: \.lengths6) == 305)
        #expect(MemoryLayout<mzr_config>.offset(of: \.port) == 8)
        #expect(MemoryLayout<mzr_applied>.offset(of: \.digest) == 40)
    }

    @Test("keys and values have the sizes of the embedded maps", arguments: Samples.records)
    func sizes(_ record: Record) throws {
        let spec = try BPFObject.spec(record.table.rawValue)
        let bytes = try #require(record.bytes)
        #expect(bytes.key.count == spec.keySize)
        #expect(bytes.value.count == spec.valueSize)
    }

    @Test("a row comes back from its bytes", arguments: Samples.records)
    func roundTrip(_ record: Record) throws {
        let bytes = try #require(record.bytes)
        #expect(Self.decode(record.table, bytes) == record)
    }

    @Test("integers are in the order that the header says")
    func byteOrder() throws {
        let host = try #require(Record.host(Samples.h1, HostRow(host: 1)).bytes)
        #expect(host.key == [172, 16, 0, 1])
        let config = try #require(
            Record.config(ConfigRow(address: Samples.h1, uplink: 2, port: 6081, mtu: 1500, otherPorts: [7000])).bytes)
        #expect(Array(config.value[0..<4]) == [172, 16, 0, 1])
        #expect(Array(config.value[8..<10]) == [0x17, 0xc1])
        #expect(Array(config.value[12..<16]) == [0x1b, 0x58, 0, 0])
        let endpoint = try #require(
            Record.endpoint(
                EndpointKey(vni: 1, address: IPAddress(v4: 0x0a00_0102)),
                EndpointRow(kind: .remote, host: Samples.h1, network: 0)
            ).bytes)
        #expect(Array(endpoint.key[4...]) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 1, 2])
    }

    @Test("whatever bytes a map holds, the row stands for exactly these", arguments: Table.allCases)
    func anyBytes(_ table: Table) throws {
        let spec = try BPFObject.spec(table.rawValue)
        var random = SplitMix(seed: 1)
        let good = try Samples.records.filter { $0.table == table }.map { try #require($0.bytes) }
        for round in 0..<600 {
            var bytes = RowBytes(
                key: (0..<spec.keySize).map { _ in UInt8.random(in: 0...255, using: &random) },
                value: (0..<spec.valueSize).map { _ in UInt8.random(in: 0...255, using: &random) })
            // Two of three are good rows with a few bytes changed, which random bytes never come near.
            if round % 3 != 0, let base = good.randomElement(using: &random) {
                bytes = base
                for _ in 0..<(round % 3) {
                    bytes.value[Int.random(in: 0..<spec.valueSize, using: &random)] =
                        UInt8.random(in: 0...255, using: &random)
                    bytes.key[Int.random(in: 0..<spec.keySize, using: &random)] =
                        UInt8.random(in: 0...3, using: &random)
                }
            }
            if table.hasOneRow { bytes.key = [0, 0, 0, 0] }
            guard let record = Self.decode(table, bytes) else {
                #expect(table.hasOneRow && bytes.value.allSatisfy { $0 == 0 })
                continue
            }
            let again = try #require(record.bytes)
            #expect(again.key == bytes.key)
            // What a host answered or has proven is the programs' own; slots and the generation are the applier's.
            switch table {
            case .ports:
                if case .foreign = record { continue }
                let slot = try #require(MemoryLayout<mzr_port>.offset(of: \.slot))
                #expect(again.value.prefix(slot) == bytes.value.prefix(slot))
            case .hosts:
                if case .foreign = record { continue }
                let flags = try #require(MemoryLayout<mzr_host>.offset(of: \.flags))
                #expect(again.value.prefix(8) == bytes.value.prefix(8) && again.value[flags] == bytes.value[flags])
            case .config:
                if case .foreign = record { continue }
                let generation = try #require(MemoryLayout<mzr_config>.offset(of: \.generation))
                #expect(again.value.prefix(generation) == bytes.value.prefix(generation))
            case .endpoints:
                // Whether its host has proven that it has the endpoint.
                let asked = try #require(MemoryLayout<mzr_endpoint>.offset(of: \.asked))
                if case .endpoint(_, let row) = record, row.kind == .remote {
                    #expect(again.value.prefix(asked) == bytes.value.prefix(asked))
                } else {
                    #expect(again.value == bytes.value)
                }
            default: #expect(again.value == bytes.value)
            }
        }
    }

    @Test("a row that no map can hold has no bytes")
    func unholdable() {
        let v6 = IPAddress(bits: 0xfd00 << 112 | 1)
        #expect(Record.host(v6, HostRow(host: 1)).bytes == nil)
        let many = (0..<65).map { IPAddress(v4: $0) }
        let network = NetworkKey(vni: 1, cidr: CIDR(containing: Samples.h1, length: 24))
        #expect(Record.network(network, NetworkRow(network: 1, held: true, bouncers: many)).bytes == nil)
        #expect(Record.applied(AppliedRow(commit: "abc", digest: 1, host: 1)).bytes == nil)
        #expect(
            Record.applied(AppliedRow(commit: String(repeating: "+1", count: 20), digest: 1, host: 1)).bytes == nil)
    }

    private static func decode(_ table: Table, _ bytes: RowBytes) -> Record? {
        bytes.key.withUnsafeBytes { key in
            bytes.value.withUnsafeBytes { Record(table, key: key, value: $0) }
        }
    }
}

/// Sebastiano Vigna's generator, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
