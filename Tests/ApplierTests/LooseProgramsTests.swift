import Applier
import CBPF
import Planner
import TestSupport
import Testing
import Topology

@Suite(.enabled(if: NetworkNamespace.isAvailable)) struct LooseProgramsTests {
    @Test("the programs reach those behind them")
    func tails() throws {
        let programs = try LoosePrograms()
        let (own, other) = (IPAddress(v4: 0xac10_0001), IPAddress(v4: 0xac10_0002))
        let (from, to) = (IPAddress(v4: 0x0a00_010a), IPAddress(v4: 0x0a00_0114))
        // Where a packet comes in, BPF_PROG_TEST_RUN wants an interface that there is.
        let port: UInt32 = 1
        let mac = MACAddress(bits: 0x0200_0000_000b)
        try programs.put([
            .config(ConfigRow(address: own, uplink: 2, port: 6081, mtu: 1600)), .host(other, HostRow(host: 2)),
            .vpc(100, VPCRow(vpc: 1, held: false, dividers: [other], lengths4: [120], lengths6: [])),
            .port(port, PortRow(vni: 100, macFixed: true, network: 1, endpoint: 1)), .portMAC(port, mac),
            .endpoint(EndpointKey(vni: 100, address: from), EndpointRow(kind: .local, host: own, ifindex: port, network: 1)),
            .endpoint(EndpointKey(vni: 100, address: to), EndpointRow(kind: .remote, host: other, network: 1)),
        ])
        let frame = Packet.frame(
            to: MACAddress(bits: 0x0a58_a9fe_0001), from: mac, type: Packet.ipv4,
            Packet.ipv4(from: from, to: to, protocol: 17, Packet.udp(from: 1000, to: 2000, [1, 2, 3, 4])))
        var (options, context) = (bpf_test_run_opts(), __sk_buff())
        context.ifindex = port
        context.ingress_ifindex = port
        var output = [UInt8](repeating: 0, count: 512)
        let program = try programs.descriptor(of: LoosePrograms.Program.port)
        let code: Int32 = frame.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                withUnsafePointer(to: &context) { context in
                    options.sz = MemoryLayout<bpf_test_run_opts>.size
                    (options.data_in, options.data_size_in) = (input.baseAddress, UInt32(input.count))
                    (options.data_out, options.data_size_out) = (output.baseAddress, UInt32(output.count))
                    (options.ctx_in, options.ctx_size_in) = (UnsafeRawPointer(context), UInt32(MemoryLayout<__sk_buff>.size))
                    options.repeat = 1
                    return bpf_prog_test_run_opts(program, &options)
                }
            }
        }
        #expect(code == 0 && options.retval == UInt32(TC_ACT_REDIRECT))
        #expect(Int(options.data_size_out) == frame.count + Int(MZR_OVERHEAD_STAGED))
    }
}
