import Testing
import Topology

@Suite struct CIDRTests {
    @Test(arguments: [
        ("10.0.0.0/16", "10.0.0.0", "10.0.255.255", 16), ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", 0),
        ("10.0.0.1/32", "10.0.0.1", "10.0.0.1", 32), ("10.0.0.2/31", "10.0.0.2", "10.0.0.3", 31),
        ("fd00:1::/48", "fd00:1::", "fd00:1:0:ffff:ffff:ffff:ffff:ffff", 48), ("fd00::1/128", "fd00::1", "fd00::1", 128),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0),
    ])
    func parses(_ text: String, _ first: String, _ last: String, _ length: Int) throws {
        let block = try #require(CIDR(text))
        #expect(block.description == text)
        #expect(block.first.description == first)
        #expect(block.last.description == last)
        #expect(block.length == length)
        #expect(block.fullLength == (block.isIPv4 ? length + 96 : length))
        #expect(CIDR(prefix: block.prefix, fullLength: block.fullLength) == block)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0", "10.0.0.0/", "/16", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+1", "10.0.0.0/016", "10.0.0.0/1 ",
        "10.0.0.1/16", "10.0.0.0/16/16", "10.0/16", "fd00::/129", "fd00::1/64", "10.0.0.0/255.255.0.0", "::ffff:10.0.0.0/112",
        "10.0.0.0/00",
    ])
    func refuses(_ text: String) { #expect(CIDR(text) == nil) }

    @Test func namesTheBlockThatWasMeant() throws {
        let (address, length) = try #require(CIDR.split("10.0.5.9/20"))
        #expect(CIDR(containing: address, length: length).description == "10.0.0.0/20")
        #expect(CIDR.split("10.0.5.9/40") == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.0.0/16", true), ("10.0.0.0/16", "10.1.0.0/16", false), ("10.0.0.0/16", "10.0.0.0/16", true),
        ("::/0", "10.0.0.0/8", false), ("0.0.0.0/0", "fd00::/8", false), ("fd00::/8", "fd00:1::/48", true),
    ])
    func overlaps(_ left: String, _ right: String, _ expected: Bool) throws {
        let (left, right) = (try #require(CIDR(left)), try #require(CIDR(right)))
        #expect(left.overlaps(right) == expected)
        #expect(right.overlaps(left) == expected)
    }

    @Test func containsAddressesOfItsFamily() throws {
        let all = try #require(CIDR("::/0"))
        #expect(all.contains(try #require(IPAddress("fd00::1"))))
        #expect(!all.contains(try #require(IPAddress("10.0.0.1"))))
        let block = try #require(CIDR("10.0.1.0/24"))
        #expect(block.contains(try #require(IPAddress("10.0.1.255"))))
        #expect(!block.contains(try #require(IPAddress("10.0.2.0"))))
        #expect(!block.contains(all))
    }

    @Test(arguments: [("10.0.0.0/30", false), ("10.0.0.0/31", true), ("10.0.0.0/32", true), ("fd00::/126", false), ("fd00::/127", true)])
    func knowsBlocksWithoutReservedAddresses(_ text: String, _ expected: Bool) throws {
        #expect(try #require(CIDR(text)).isPointToPoint == expected)
    }

    @Test func refusesKeysWithHostBits() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        #expect(CIDR(prefix: address, fullLength: 112) == nil)
        #expect(CIDR(prefix: address, fullLength: 129) == nil)
        #expect(CIDR(prefix: address, fullLength: 128) != nil)
    }
}
