import Testing

@testable import Applier

/// Settings below /proc/sys: of an interface that is there, each is there.
@Suite struct SettingTests {
    @Test func whatIsNotThereIsAnErrorAndNotSilence() throws {
        let setting = Setting(family: .ipv4, name: "no_such_setting", value: "1")
        #expect(try !setting.holds(on: "lo", mtu: 1500))
        let missing = #expect(throws: BPFError.self) { try setting.set(on: "lo", mtu: 1500) }
        #expect(missing.map { "\($0)" }?.contains("/proc/sys/net/ipv4/conf/lo/no_such_setting: this kernel has no such setting") == true)
        let gone = #expect(throws: BPFError.self) {
            try Setting(family: .ipv4, name: "forwarding", value: "1").set(on: "no-such-if", mtu: 1500)
        }
        #expect(gone.map { "\($0)" }?.contains("the interface has no settings of ipv4") == true)
    }

    /// Too small for IPv6, an interface has nothing of it.
    @Test func withoutIPv6NothingOfItIsAskedFor() throws {
        let setting = Setting(family: .ipv6, name: "no_such_setting", value: "1")
        #expect(try setting.holds(on: "lo", mtu: 1279))
        try setting.set(on: "lo", mtu: 1279)
    }

    @Test(arguments: ["../../../../etc/x", "..", "a/b", "", "all", "default"])
    func aNameThatLeadsElsewhereIsRefused(name: String) throws {
        let setting = Setting(family: .ipv4, name: "forwarding", value: "1")
        #expect(throws: BPFError.self) { try setting.holds(on: name, mtu: 1500) }
        #expect(throws: BPFError.self) { try setting.set(on: name, mtu: 1500) }
    }
}
