import TestSupport
import Testing

/// VLAN tags on the underlay: the data plane neither sends nor takes a tagged packet, wherever the tag is.
@Suite(.needsRoot) struct VLANTests {
    private static let tags = [[0], [100], [7, 8]]

    /// From h2 to the bouncer h3, as if b had sent it to a: h3 would send it on to a's host.
    private static func staged(_ lab: LabFixture) async throws -> LabFixture.Frame {
        let shown = try await lab.on("h3", "ip", "-br", "link", "show", "eth0").output.split(separator: " ")
        var frame = LabFixture.Frame(srcMac: "02:00:00:00:00:77", src: "172.16.0.2", dst: "172.16.0.3")
        frame.dstMac = String(shown[2])
        var tunnel = LabFixture.Frame.Tunnel(vni: 4097, inner: .init(src: "10.0.1.11", dst: "10.0.1.10"))
        // The stage option: a bouncer is asked, by 172.16.0.2.
        (tunnel.options, tunnel.flags) = ("ff6d810202000000ac100002", 0x40)
        frame.geneve = tunnel
        return frame
    }

    @Test("a tagged packet is none of ours, also where the interface keeps the tag beside the frame", arguments: datapaths)
    func incoming(datapath: String) async throws {
        let fleet = DatapathFactTests.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let plain = try await Self.staged(lab)
            func arrives(_ frame: LabFixture.Frame, isExpected: Bool) async throws -> [LabFixture.Received] {
                // Past the sender's own guard: a machine on the underlay has none.
                try await lab.send(
                    [frame], from: lab.namespace(host: "h2"), to: ["acme/prod/web/a"], wait: isExpected ? 4 : 0.4, bypass: true)
            }
            #expect(try await arrives(plain, isExpected: true).map(\.from) == ["10.0.1.11"])
            for tags in Self.tags {
                var tagged = plain
                // The bridge takes the outer tag off the frame; the next veth gets it beside.
                tagged.vlans = tags
                #expect(try await arrives(tagged, isExpected: false) == [], "\(tags)")
            }
            // The tables work as before, so it was the tag.
            #expect(try await arrives(plain, isExpected: true).map(\.from) == ["10.0.1.11"])
            #expect(try await lab.unfinished(fleet) == [])
        }
    }

    @Test("a container on a macvlan of the uplink sends no tagged Geneve", arguments: datapaths)
    func outgoing(datapath: String) async throws {
        let fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        try await LabFixture.with(fleet) { lab in
            let a = fleet["acme/prod/web/a"]
            let container = try await lab.container(onMacvlanOf: "h1", forgingPortOf: a, to: "h2")
            var frame = container.frame(from: "172.16.0.1", to: "172.16.0.2", port: 6081)
            frame.geneve = .init(vni: 4097, inner: .init(src: "10.0.1.10", dst: "10.0.1.11"))
            for tags in Self.tags {
                let before = try await lab.drops("h1")["foreign-sender", default: 0]
                frame.vlans = tags
                frame.count = 20
                _ = try await lab.send([frame], from: container.namespace, "m0", to: [])
                let after = try await lab.drops("h1")["foreign-sender", default: 0]
                #expect(after == before + 20, "\(tags)")
            }
        }
    }
}
