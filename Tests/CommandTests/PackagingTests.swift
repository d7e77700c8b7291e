import Glibc
import Subprocess
import TestSupport
import Testing

/// The units as systemd itself reads them, and the scripts around the build.
@Suite(.enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0 || getenv("MIZAR_REQUIRE_BPF") != nil, "needs systemd-analyze"))
struct PackagingTests {
    private let repository = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    @Test func unitsAreWellFormed() async throws {
        let fixture = try GitFixture()
        let packaging = repository + "/packaging"
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

    /// It may install packages, so only where `make test` has.
    @Test(.enabled(if: getenv("MIZAR_REQUIRE_BPF") != nil, "needs what install-deps.sh installs"))
    func aSwiftThatDoesNotStartIsNamed() async throws {
        let fixture = try GitFixture()
        let script = """
            set -e; cd "\(fixture.folder)"; printf '#!/bin/sh\\necho no libncurses >&2; exit 127\\n' >swift; chmod +x swift
            PATH=$PWD:$PATH "\(repository)/scripts/install-deps.sh" 2>&1
            """
        let result = try await run(
            .name("sh"), arguments: ["-c", script], output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        #expect(result.terminationStatus == .exited(1))
        #expect(
            result.standardOutput
                == "no libncurses\nerror: Swift is there and does not start: \(fixture.folder)/swift\n")
    }
}
