import Glibc
import Testing

/// How a lab's hosts forward.
let datapaths = ["tc", "xdp"]

extension Trait where Self == ConditionTrait {
    /// Root, or nobody's excuse: with `MIZAR_REQUIRE_BPF=1`, as in CI, the tests run and fail.
    static var needsRoot: Self {
        .enabled(if: geteuid() == 0 || getenv("MIZAR_REQUIRE_BPF") != nil, "namespaces and BPF need root")
    }
}
