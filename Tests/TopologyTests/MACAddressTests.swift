import Testing
import Topology

@Suite struct MACAddressTests {
    @Test(arguments: [("02:00:00:00:00:11", 0x0200_0000_0011), ("FF:ee:Dd:00:01:0a", 0xffee_dd00_010a), ("00:00:00:00:00:00", 0)])
    func parses(_ text: String, _ bits: UInt64) throws {
        let mac = try #require(MACAddress(text))
        #expect(mac.bits == bits)
        #expect(mac.description == text.lowercased())
        #expect(MACAddress(bytes: mac.bytes) == mac)
    }

    @Test(arguments: [
        "", "02:00:00:00:00", "02:00:00:00:00:11:22", "2:0:0:0:0:1", "02-00-00-00-00-11", "0200.0000.0011", "02:00:00:00:00:1g",
        "+2:00:00:00:00:11", "02:00:00:00:00:+1", "02:00:00:00:00:111", " 02:00:00:00:00:11", "02:00:00:00:00:-1",
    ])
    func refuses(_ text: String) { #expect(MACAddress(text) == nil) }

    @Test(arguments: [
        ("02:00:00:00:00:11", true), ("03:00:00:00:00:11", false), ("ff:ff:ff:ff:ff:ff", false), ("00:00:00:00:00:00", false),
    ])
    func knowsUnicast(_ text: String, _ expected: Bool) throws {
        #expect(try #require(MACAddress(text)).isUnicast == expected)
    }

    @Test(arguments: [
        (["10.0.1.10"], "0a:58:0a:00:01:0a"), (["fd00::1", "10.0.1.10"], "0a:58:0a:00:01:0a"), (["fd00::1234:5678"], "0a:58:12:34:56:78"),
    ])
    func assumesOneFromTheAddresses(_ addresses: [String], _ expected: String) {
        #expect(MACAddress.assumed(for: addresses.compactMap { IPAddress($0) }).description == expected)
    }
}
