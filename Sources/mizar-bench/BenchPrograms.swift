import CBPF
import Glibc

/// bench/bench.bpf.c, loaded: what the data plane's programs are compared with, and injected by.
final class BenchPrograms {
    enum Program: String {
        case inject, dispatch
        case emptyTC = "empty_tc"
        case emptyXDP = "empty_xdp"
        case passXDP = "pass_xdp"
        case twoLookups = "two_lookups"
        case sinkXDP = "sink_xdp"
        case sinkTC = "sink_tc"
    }

    private let object: OpaquePointer

    /// - Parameter endpoints: the descriptor of the table that is looked up.
    init(endpoints: Int32? = nil) throws {
        mzr_silence()
        let path = "build/bench.bpf.o"
        guard let object = bpf_object__open_file(path, nil) else {
            throw Bench.Failure("open \(path): \(String(cString: strerror(errno)))")
        }
        self.object = object
        if let endpoints { bpf_map__reuse_fd(bpf_object__find_map_by_name(object, "endpoints"), endpoints) }
        let result = bpf_object__load(object)
        guard result == 0 else { throw Bench.Failure("load \(path): \(String(cString: strerror(-result)))") }
    }

    deinit { bpf_object__close(object) }

    func descriptor(_ program: Program) -> Int32 {
        bpf_program__fd(bpf_object__find_program_by_name(object, program.rawValue))
    }

    func map(_ name: String) -> Int32 { bpf_object__find_map_fd_by_name(object, name) }
}
