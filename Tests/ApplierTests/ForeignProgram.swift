import CBPF
import Glibc

@testable import Applier

/// A program of somebody else's, which says the same of every packet.
struct ForeignProgram: ~Copyable {
    let id: UInt32
    private let descriptor: Descriptor

    /// - Parameter verdict: what it says of every packet; 2: XDP_PASS, or TC_ACT_SHOT.
    init(_ type: bpf_prog_type, _ name: String, verdict: Int32 = 2) throws {
        // r0 = verdict; exit
        var program = [bpf_insn(), bpf_insn()]
        program[0].code = 0xb7
        program[0].imm = verdict
        program[1].code = 0x95
        let loaded = Descriptor(
            owning: try check(bpf_prog_load(type, name, "GPL", program, program.count, nil), "load", "a program"))
        id = try ProgramInfo(of: loaded.raw).id
        descriptor = loaded
    }

    func attachXDP(_ interface: UInt32) throws {
        try check(
            bpf_xdp_attach(Int32(interface), descriptor.raw, UInt32(XDP_FLAGS_DRV_MODE), nil), "attach", "a program")
    }

    func attachTCX(_ interface: UInt32) throws {
        try TCX.attach(descriptor.raw, interface, .ingress, inPlaceOf: nil, "a program's")
    }

    func attachFilter(_ interface: UInt32, replace: Bool = false) throws {
        var hook = KernelStore.hook(interface)
        hook.attach_point = BPF_TC_INGRESS
        var options = bpf_tc_opts()
        options.sz = optionsSize(\bpf_tc_opts.priority)
        options.flags = replace ? BPF_TC_F_REPLACE.rawValue : 0
        options.prog_fd = descriptor.raw
        options.handle = Filter.handle
        options.priority = Filter.priority
        try check(bpf_tc_attach(&hook, &options), "attach", "a program")
    }
}
