import Glibc

/// The owner of a file descriptor: it is closed when its owner goes.
struct Descriptor: ~Copyable {
    let raw: Int32

    /// Takes over `raw`, which must be open and nobody else's.
    init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }
}
