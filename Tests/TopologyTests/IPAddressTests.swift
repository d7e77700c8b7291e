import Testing
import Topology

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("fd00:1::10", "fd00:1::10"), ("FD00:0001:0:0:0:0:0:10", "fd00:1::10"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("1::", "1::"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::ffff:0:10.0.0.1", "::ffff:0:a00:1"),
    ])
    func parsesAndPrintsCanonically(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
        #expect(address.bytes.count == 16)
    }

    @Test(arguments: [
        "", "10", "10.1", "10.0.0", "10.0.0.0.1", "10.0.0.256", "010.0.0.1", "10.0.0.01", "10.0.0.-1", "10.0.0.+1",
        " 10.0.0.1", "10.0.0.1 ", "10.0.0.1/32", "10..0.1", "10.0.0.1000", "0x0a.0.0.1", "1٠.0.0.1", ":", ":::", "1:", ":1",
        "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::",
        "fe80::1%eth0", "[::1]", "::ffff:10.0.0.1", "::FFFF:a00:1", "0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1::", "::1.2.3", "::1.2.3.4:5",
        "-1::", "+1::",
    ])
    func refuses(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test func keepsIPv4AsMapped() throws {
        let address = try #require(IPAddress("10.0.1.10"))
        #expect(address.isIPv4)
        #expect(address.v4 == 0x0a00_010a)
        #expect(address.bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 1, 10])
        #expect(IPAddress(v4: 0x0a00_010a) == address)
        #expect(IPAddress("fd00::1")?.isIPv4 == false)
        #expect(IPAddress("fd00::1")?.v4 == nil)
    }

    @Test(arguments: ["10.0.0.1", "100.64.0.1", "223.255.255.255", "fd00::1", "2001:db8::1", "1.0.0.0"])
    func isUnicast(_ text: String) throws { #expect(try #require(IPAddress(text)).isUnicast) }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::",
        "::1", "fe80::1", "ff02::1",
    ])
    func isNoUnicast(_ text: String) throws { #expect(try !#require(IPAddress(text)).isUnicast) }

    @Test func sortsByNumber() {
        let sorted = ["9.0.0.0", "10.0.0.0", "10.0.0.2", "10.0.0.10"].compactMap { IPAddress($0) }
        #expect(sorted.shuffled().sorted() == sorted)
    }
}
