import FoundationEssentials
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

    /// Whoever asked for a result must hear that there is none.
    @Test func aResultThatIsNotTakenIsAnError() async throws {
        let plan = try await Plan()
        let repo = plan.path("repo")
        for words in [
            ["validate", repo], ["validate", repo, "--format", "json"], ["validate", repo, "--format", "markdown"], plan.words,
            plan.words + ["--format", "json"], plan.words + ["--format", "markdown"], ["--help"], ["--version"], ["plan", "--help"],
        ] {
            let full = try await Tool.execute(["bash", "-c", #""$@" > /dev/full"#, "bash", Tool().path] + words)
            #expect(full.status == 1 && full.error.contains("standard output: No space left on device"), "\(words): \(full)")
            let closed = try await Tool.execute(["bash", "-c", #""$@" >&-"#, "bash", Tool().path] + words)
            #expect(closed.status == 1 && closed.error.contains("cannot write to standard output: "), "\(words): \(closed)")
        }
        // A reader that has seen enough is no error to speak of.
        let head = try await Tool.execute(
            ["bash", "-c", #"trap '' PIPE; { "$@"; echo "exit $?" >&2; } | true"#, "bash", Tool().path, "validate", repo])
        #expect(["exit 0\n", "exit 1\n"].contains(head.error), "\(head.error)")
    }

    /// With `--log-format json`, all of standard error is JSON.
    @Test func messagesAreJSONToTheLast() async throws {
        struct Line: Decodable {
            var level: String
            var message: String
            var code: String?
            var at: String?
        }
        let plan = try await Plan()
        try await plan.git.repository("bad", files: ["a.yaml": "kind: Nothing\n"])
        func lines(_ words: String...) async throws -> [Line] {
            let outcome = try await Tool().run(words + ["--log-format", "json"])
            #expect(outcome.status == 1)
            return try outcome.error.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        let missing = try await lines("plan", "--repo", plan.path("repo"), "--base", "nowhere")
        #expect(missing.count == 1 && missing.first?.level == "error")
        #expect(missing.first?.message.hasPrefix("cannot resolve nowhere in ") == true, "\(missing)")
        let bad = try await lines("plan", "--repo", plan.path("bad"), "--base", "HEAD")
        #expect(bad.map(\.code) == ["MZ106", nil] && bad.map(\.level) == ["error", "error"], "\(bad)")
        #expect(bad.first?.at == "a.yaml:1:7")
        #expect(bad.last?.message == "1 error in the topology; nothing was changed")
        let text = try await Tool().run("plan", "--repo", plan.path("repo"), "--base", "nowhere")
        #expect(text.error.hasPrefix("error: cannot resolve nowhere in "), "\(text.error)")
    }

    /// A folder for mirrors that anybody could have made is not chosen.
    @Test(.needsRoot) func withoutAHomeTheCacheMustBeNamed() async throws {
        let plan = try await Plan()
        let words = ["validate", "--repo", "file://\(plan.path("repo"))"]
        let outcome = try await Tool.execute(
            ["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"]
                + ["setpriv", "--reuid", "65534", "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override", Tool().path]
                + words)
        #expect(outcome.status == 1 && outcome.error.contains("neither HOME nor XDG_CACHE_HOME is set; give --cache"), "\(outcome.error)")
    }
}
