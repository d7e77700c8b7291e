import Glibc
import Subprocess
import TestSupport
import Testing

/// The units as systemd itself reads them.
@Suite(.enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0 || getenv("MIZAR_REQUIRE_BPF") != nil, "needs systemd-analyze"))
struct PackagingTests {
    @Test func unitsAreWellFormed() async throws {
        let fixture = try GitFixture()
        let packaging = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/packaging"
        // The program need not be installed to know that the rest is right.
        let script = """
            set -e; cd "\(fixture.folder)"; cp "\(packaging)"/*.service "\(packaging)"/*.timer .
            sed -i 's|/usr/local/sbin/mizar-reconcile|/bin/true|' *.service
            systemd-analyze verify --man=no ./mizar-reconcile.service ./mizar-reconcile@h1.service ./mizar-reconcile@h1.timer 2>&1
            """
        let result = try await run(
            .name("sh"), arguments: ["-c", script], output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        #expect(result.terminationStatus.isSuccess, "\(result.standardOutput)\(result.standardError)")
        #expect(result.standardOutput == "", "not even a warning")
    }
}
