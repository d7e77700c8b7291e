import Glibc
import Testing

/// The tests of the kernel's part need root; with MIZAR_REQUIRE_BPF=1 (as in CI) they run and fail without.
let isPrivileged = geteuid() == 0 || getenv("MIZAR_REQUIRE_BPF") != nil

/// How a lab's hosts forward.
let datapaths = ["tc", "xdp"]

extension Trait where Self == ConditionTrait {
    static var needsRoot: Self { .enabled(if: isPrivileged, "namespaces and BPF need root") }
}
