import Glibc
import Testing

/// Programs can be loaded here, or must be: then tests that cannot run fail.
private var canLoad: Bool { geteuid() == 0 || getenv("MIZAR_REQUIRE_BPF") != nil }

/// All of them share one kernel object, so they take turns.
@Suite(.serialized, .enabled(if: canLoad, "needs root")) struct DatapathTests {}
