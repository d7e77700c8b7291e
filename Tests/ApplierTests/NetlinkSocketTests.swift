import CBPF
import Glibc
import TestSupport
import Testing

@testable import Applier

/// What the kernel says at the end of an answer.
@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct NetlinkSocketTests {
    /// RTM_GETROUTE of a table, or by an interface.
    private static func routes(table: UInt32? = nil, by ifindex: UInt32? = nil) throws -> Int {
        var header = rtmsg()
        header.rtm_family = UInt8(AF_INET)
        return try NetlinkSocket(strictly: true).dump(
            Int(RTM_GETROUTE), header, "the routes",
            more: { message in
                if let table { message.add(Int(RTA_TABLE.rawValue), table) }
                if let ifindex { message.add(Int(RTA_OIF.rawValue), ifindex) }
            }
        ) { _ in 1 }.count
    }

    @Test("a dump that ends by an error is no empty answer, and says why")
    func endsByAnError() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "set", "lo", "up")
            #expect(try Self.routes(table: UInt32(RT_TABLE_LOCAL.rawValue)) > 0)
            let missing = #expect(throws: BPFError.self) { try Self.routes(table: 777) }
            #expect(missing?.number == ENOENT && missing?.description.contains("FIB table does not exist") == true, "\(missing as Any)")
            let gone = #expect(throws: BPFError.self) { try Self.routes(by: 4242) }
            #expect(gone?.number == ENODEV, "\(gone as Any)")
        }
    }

    @Test("who asks about what has gone meanwhile finds nothing")
    func gone() async throws {
        try await NetworkNamespace.run { _ in
            let routes = try HostDevices().routes(by: 4242)
            let filters = try NetlinkSocket().filters(4242)
            #expect(routes.isEmpty && filters.isEmpty)
        }
    }
}
