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
