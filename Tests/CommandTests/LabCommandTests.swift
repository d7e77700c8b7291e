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
        #expect(up.contains("3 hosts, 10 endpoints"))

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
        let wrong = try await tool.run("lab", "exec", "acme/prod/web/web-1")
        #expect(wrong.status == 1)
        #expect(wrong.error.contains("give a command after --") && wrong.error.contains("lab exec"), "\(wrong.error)")
        #expect(try await tool.run("lab", "exec", "--help").output.contains("Enter this host"))

        let again = try await tool.succeed("lab", "up", "--name", name, "--repo", example, "--underlay", underlay)
        #expect(
            again == """
                h1: No changes.
                h2: No changes.
                h3: No changes.
                Lab \(name) is up: 3 hosts, 10 endpoints, \(underlay) underlay.

                """)
    }

    /// The command takes the place of `lab exec`: what is sent to that, as by timeout(1) or Ctrl-C, it gets itself.
    @Test func signalsAndExitCodesAreTheCommandsOwn() async throws {
        try await LabFixture.with(ApplyTests.twoHosts()) { lab in
            let inside = ["lab", "exec", "--name", lab.name, "acme/prod/web/a", "--"]
            let exec = [tool.path] + inside
            for code: Int32 in [0, 1, 2, 5, 126, 255] {
                #expect(try await tool.run(inside + ["sh", "-c", "exit \(code)"]).status == code)
            }
            #expect(try await tool.run(inside + ["sh", "-c", "kill -KILL $$"]).status == 137)
            #expect(try await tool.run(inside + ["timeout", "1", "sleep", "1000"]).status == 124, "from inside")
            let outside = try await Tool.execute(["timeout", "1"] + exec + ["sleep", "1000"])
            #expect(outside.status == 124, "from outside")

            // A child of its own, in the foreground.
            let waiting = "sh -c 'echo up $$; exec sleep 1000'; exit 1"
            for (number, status) in [(SIGTERM, Int32(143)), (SIGINT, 130), (SIGHUP, 129)] {
                // A group of its own, as a shell gives to each command: Ctrl-C is for all of it.
                let found = try await Self.signal(number, ["setsid"] + exec + ["sh", "-c", waiting], lab)
                #expect(found == status, "signal \(number)")
            }
            let heeded = "trap 'exit 40' TERM; trap 'exit 41' INT; trap 'exit 42' HUP; " + waiting
            for (number, status) in [(SIGTERM, Int32(40)), (SIGINT, 41), (SIGHUP, 42)] {
                let found = try await Self.signal(number, ["setsid"] + exec + ["bash", "-c", heeded], lab)
                #expect(found == status, "signal \(number), heeded")
            }
        }
    }

    /// Sends a signal to a command and its group once its child is up, and gives its status when both are gone.
    private static func signal(_ number: Int32, _ command: [String], _ lab: LabFixture) async throws -> Int32 {
        try await Tool.whileRunning(command, log: "\(lab.git.folder)/exec") { running in
            let isUp = try await eventually { running.output.hasSuffix("\n") }
            let child = Int32(running.output.dropFirst("up ".count).dropLast()) ?? 0
            #expect(isUp && child > 0)
            running.signal(number, toGroup: true)
            let areGone = try await eventually { running.hasEnded && kill(child, 0) != 0 }
            #expect(areGone)
        }
    }
}
