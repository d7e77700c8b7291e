import Glibc
import Lab
import TestSupport
import Testing

/// `lab up`, `exec` and `down` as a user types them, on the example.
@Suite(.enabled(if: geteuid() == 0 || getenv("MIZAR_REQUIRE_BPF") != nil, "network namespaces need root"))
struct LabCommandTests {
    let tool = Tool()
    let example = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/examples/two-tenants"

    @Test(arguments: ["bridged", "routed"])
    func theExampleComesUpAndGoes(underlay: String) async throws {
        let name = "c" + String(UInt32.random(in: 0...UInt32.max), radix: 16)
        let lab = Lab(name: name)
        do {
            try await prove(name, underlay, lab)
        } catch {
            try await tool.run("lab", "down", "--name", name)
            throw error
        }
        let down = try await tool.succeed("lab", "down", "--name", name)
        #expect(down.contains("is down"))
        #expect(!lab.exists)
        #expect(access(lab.bpffs, F_OK) != 0)
        // Once more is no error: nothing is there to remove.
        try await tool.succeed("lab", "down", "--name", name)
    }

    private func prove(_ name: String, _ underlay: String, _ lab: Lab) async throws {
        let up = try await tool.succeed("lab", "up", "--name", name, "--repo", example, "--underlay", underlay)
        #expect(up.contains("3 hosts, 9 endpoints"))

        // In the endpoint's network, with this machine's files, and with the command's own exit code.
        let inside = ["lab", "exec", "--name", name, "acme/prod/web/web-1", "--"]
        #expect(try await tool.run(inside + ["ip", "-o", "addr", "show", "dev", "eth0"]).output.contains("10.0.1.10/24"))
        #expect(try await tool.run(inside + ["sh", "-c", "exit 7"]).status == 7)
        #expect(try await tool.run(inside + ["ping", "-c", "1", "-W", "3", "10.0.1.12"]).succeeded)
        #expect(try await tool.run(inside + ["ping", "-c", "1", "-W", "3", "fd00:1:0:2::10"]).succeeded)
        let host = ["lab", "exec", "--name", name, "--host", "h2", "--"]
        #expect(try await tool.run(host + ["ls", lab.bpffs(host: "h2")]).output.contains("endpoints"), "pins stay visible")

        let unknown = try await tool.run("lab", "exec", "--name", name, "acme/prod/web/web-9", "--", "true")
        #expect(unknown.status == 1)
        #expect(unknown.error.contains("acme/prod/web/web-1"), "it says what there is")
        #expect(try await tool.run(inside + ["no-such-program"]).status == 1)

        let again = try await tool.succeed("lab", "up", "--name", name, "--repo", example, "--underlay", underlay)
        #expect(again.contains("0 added, 0 changed, 0 destroyed"))
    }
}
