import Glibc
import TestSupport
import Testing

/// Where results go: files that `--out` names, and standard output.
@Suite struct OutputTests {
    /// A fleet's plan, as JSON, is what `--out` saves.
    struct Plan {
        let git: GitFixture
        let json: String

        init() async throws {
            git = try GitFixture()
            var fleet = ApplyTests.twoHosts()
            try await git.repository(files: fleet.files)
            fleet.endpoint("acme/prod/web/d", 13, on: "h1")
            try await git.commit(fleet.files)
            json = try await Tool().run(Self.words(git) + ["--format", "json"]).output
            #expect(json.count > 100)
        }

        static func words(_ git: GitFixture) -> [String] {
            ["plan", "--repo", "\(git.folder)/repo", "--base", "HEAD~1", "--head", "HEAD", "--quiet"]
        }

        var words: [String] { Self.words(git) }

        func path(_ name: String) -> String { "\(git.folder)/\(name)" }

        func save(to name: String) async throws -> Tool.Outcome { try await Tool().run(words + ["--out", path(name)]) }

        func content(_ name: String) async throws -> String { try await Tool.execute(["cat", path(name)]).output }

        /// The names in the folder: nothing half-written stays.
        func names() async throws -> [String] {
            try await Tool.execute(["ls", git.folder]).output.split(separator: "\n").map(String.init)
        }
    }

    static func type(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    @Test func aSavedPlanReplacesAFileWholeAndKeepsItsPermissions() async throws {
        let plan = try await Plan()
        try await plan.git.write("old.json", "old")
        #expect(chmod(plan.path("old.json"), 0o600) == 0)
        #expect(try await plan.save(to: "old.json").succeeded)
        #expect(try await plan.content("old.json") == plan.json)
        var status = stat()
        #expect(stat(plan.path("old.json"), &status) == 0 && status.st_mode & 0o777 == 0o600)
        let missing = try await plan.save(to: "nowhere/plan.json")
        #expect(missing.status == 1 && missing.error.contains("No such file or directory"), "\(missing.error)")
        let folder = try await plan.save(to: "repo")
        #expect(folder.status == 1 && folder.error.contains("Is a directory"), "\(folder.error)")
        #expect(try await plan.names() == ["old.json", "repo"])
    }

    @Test func aLinkStaysAndItsFileIsWritten() async throws {
        let plan = try await Plan()
        try await plan.git.write("real/there.json", "old")
        #expect(symlink("real/there.json", plan.path("there")) == 0)
        #expect(symlink("there", plan.path("again")) == 0)
        #expect(symlink("real/new.json", plan.path("dangling")) == 0)
        #expect(symlink("loop", plan.path("loop")) == 0)
        for (link, file) in [("again", "real/there.json"), ("dangling", "real/new.json")] {
            let outcome = try await plan.save(to: link)
            #expect(outcome.succeeded, "\(outcome.error)")
            #expect(Self.type(plan.path(link)) == S_IFLNK)
            #expect(Self.type(plan.path(file)) == S_IFREG)
            #expect(try await plan.content(file) == plan.json)
        }
        #expect(Self.type(plan.path("there")) == S_IFLNK)
        let loop = try await plan.save(to: "loop")
        #expect(loop.status == 1 && loop.error.contains("symbolic links"), "\(loop.error)")
        #expect(try await plan.names() == ["again", "dangling", "loop", "real", "repo", "there"])
    }

    @Test func aPipeIsWrittenTo() async throws {
        let plan = try await Plan()
        #expect(mkfifo(plan.path("pipe"), 0o600) == 0)
        // It is opened for both first, so that neither side waits for a pipe that was replaced.
        let read = try await Tool.execute(
            [
                "bash", "-c", #"exec 3<>"$0/pipe" && "$@" --out "$0/pipe" && timeout 20 head -c "$SIZE" <&3"#, plan.git.folder,
                Tool().path,
            ] + plan.words, environment: ["SIZE": "\(plan.json.utf8.count)"])
        #expect(read.output.hasSuffix(plan.json), "\(read.error)")
        #expect(Self.type(plan.path("pipe")) == S_IFIFO)
    }

    @Test(.enabled(if: geteuid() == 0, "making a device needs root"))
    func aDeviceIsWrittenTo() async throws {
        let plan = try await Plan()
        #expect(mknod(plan.path("null"), S_IFCHR | 0o600, 0x103) == 0)
        #expect(mknod(plan.path("full"), S_IFCHR | 0o600, 0x107) == 0)
        #expect(try await plan.save(to: "null").succeeded)
        let full = try await plan.save(to: "full")
        #expect(full.status == 1 && full.error.contains("No space left on device"), "\(full.error)")
        #expect(Self.type(plan.path("null")) == S_IFCHR && Self.type(plan.path("full")) == S_IFCHR)
    }

    /// As `/dev/stdout` does, these lead to what the process has open: a pipe, or a file that the shell opened.
    @Test func standardOutputIsWrittenTo() async throws {
        let plan = try await Plan()
        #expect(symlink("/proc/self/fd/1", plan.path("stdout")) == 0)
        let piped = try await plan.save(to: "stdout")
        #expect(piped.succeeded && piped.output.hasPrefix(plan.json), "\(piped.error)")
        #expect(Self.type(plan.path("stdout")) == S_IFLNK)
        let redirected = try await Tool.execute(
            ["bash", "-c", #""$@" > "$0/file""#, plan.git.folder, Tool().path] + plan.words + ["--out", plan.path("stdout")])
        #expect(redirected.succeeded, "\(redirected.error)")
        #expect(try await plan.content("file") == piped.output)
    }
}
