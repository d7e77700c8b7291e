import CBPF
import Glibc

/// BPF_PROG_TEST_RUN.
enum TestRun {
    /// Runs a program once on a copy of the frame, in the calling thread's network namespace. The duration is the
    /// kernel's own, in nanoseconds.
    static func once(_ program: Int32, _ frame: [UInt8], ifindex: UInt32, isXDP: Bool) throws -> (verdict: UInt32, duration: UInt32) {
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.data_size_in = UInt32(frame.count)
        options.repeat = 1
        let result: Int32 = frame.withUnsafeBytes { bytes in
            options.data_in = bytes.baseAddress
            return withContext(frame.count, ifindex, isXDP) { context, size in
                options.ctx_in = context
                options.ctx_size_in = size
                return bpf_prog_test_run_opts(program, &options)
            }
        }
        guard result == 0 else { throw Bench.Failure("BPF_PROG_TEST_RUN: \(String(cString: strerror(-result)))") }
        return (options.retval, options.duration)
    }

    /// Sends `count` frames through an XDP program as if they had come in by the interface: what it redirects is sent,
    /// what it passes goes to the stack.
    static func live(_ program: Int32, _ frame: [UInt8], ifindex: UInt32, count: Int) throws {
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.data_size_in = UInt32(frame.count)
        options.repeat = Int32(count)
        options.flags = UInt32(BPF_F_TEST_XDP_LIVE_FRAMES)
        let result: Int32 = frame.withUnsafeBytes { bytes in
            options.data_in = bytes.baseAddress
            return withContext(frame.count, ifindex, true) { context, size in
                options.ctx_in = context
                options.ctx_size_in = size
                return bpf_prog_test_run_opts(program, &options)
            }
        }
        guard result == 0 else { throw Bench.Failure("live frames: \(String(cString: strerror(-result)))") }
    }

    private static func withContext(
        _ size: Int, _ ifindex: UInt32, _ isXDP: Bool, _ body: (UnsafeRawPointer, UInt32) -> Int32
    ) -> Int32 {
        if isXDP {
            var context = xdp_md()
            context.data_end = UInt32(size)
            context.ingress_ifindex = ifindex
            return withUnsafePointer(to: &context) { body($0, UInt32(MemoryLayout<xdp_md>.size)) }
        }
        var context = __sk_buff()
        context.ifindex = ifindex
        return withUnsafePointer(to: &context) { body($0, UInt32(MemoryLayout<__sk_buff>.size)) }
    }
}
