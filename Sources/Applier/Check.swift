import CBPF
import Glibc

/// The result of a call of libbpf, or its error: libbpf 1.x returns a negative error number, and -1 with `errno` where
/// it passes the kernel's answer on.
@discardableResult
func check(
    _ result: Int32, _ operation: @autoclosure () -> String, _ subject: @autoclosure () -> String
) throws(BPFError) -> Int32 {
    guard result < 0 else { return result }
    throw BPFError(operation(), subject(), .errno(failure(result)))
}

/// The error number, positive, behind a negative result.
func failure(_ result: Int32) -> Int32 { result == -1 && errno != 0 ? errno : -result }

/// libbpf prints nothing once this was read; what it knows is in our errors.
let silenced: Void = mzr_silence()

/// The size of one of libbpf's option structs, up to the end of its last field.
///
/// Not MemoryLayout.size: libbpf wants every byte beyond the fields that it knows to be zero, and Swift does not keep the
/// value of padding when a struct is copied.
func optionsSize<Options, Field>(_ last: KeyPath<Options, Field>) -> Int {
    (MemoryLayout<Options>.offset(of: last) ?? 0) + MemoryLayout<Field>.size
}
