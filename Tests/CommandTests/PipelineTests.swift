import FoundationEssentials
import Glibc
import SystemPackage
import TestSupport
import Testing

/// examples/ci: the scripts of both pipelines, run as the forges run them, against a repository and a forge of the test's own.
@Suite struct PipelineTests {
    /// A branch of a pull request, and what its pipeline must come to.
    struct Request: CustomTestStringConvertible, Sendable {
        var testDescription: String { branch }
        let branch: String
        let status: Int32
        /// In the comment.
        let words: [String]
    }

    static let requests = [
        Request(
            branch: "good", status: 0,
            words: [
                "Resources: 1 to add, 0 to change, 0 to destroy.", "3 to add, 0 to change, 0 to destroy", "+ endpoint acme/prod/web/new: ",
                "Nothing stops.",
            ]),
        Request(branch: "clash", status: 1, words: ["1 error in what merging", "MZ411"]),
        Request(branch: "conflict", status: 1, words: ["1 conflict in what merging", "acme.yaml:", "MZ504"]),
        Request(branch: "deleted", status: 4, words: ["Refused:", "takes away 8 of 8 endpoints", "Mizar-Allow: destroy"]),
        Request(branch: "wrong", status: 1, words: ["1 error in what merging", "MZ304"]),
    ]

    /// A clone with `origin/main`, which is a commit ahead of where the branches began.
    private static func clone() async throws -> GitFixture {
        let git = try GitFixture()
        var fleet = GuardTests.fleet()
        for index in fleet.hosts.indices { fleet.hosts[index].weight = index == 0 ? 100 : 0 }
        // Below a folder, as in a repository that has more in it.
        func commit(_ fleet: Fleet, _ message: String = "c") async throws {
            for (path, text) in fleet.files { try await git.write("repo/net/\(path)", text) }
            try await git.git("add", "-A")
            try await git.git("commit", "-q", "-m", message)
        }
        try await git.repository(files: ["README": "x"])
        try await commit(fleet)
        func branch(_ name: String, _ change: (inout Fleet) -> Void) async throws {
            try await git.git("switch", "-q", "-c", name, "main")
            var other = fleet
            change(&other)
            try await commit(other)
        }
        // At the top, as main changes the last one.
        func add(_ address: String) -> (inout Fleet) -> Void {
            { fleet in
                fleet.endpoint("acme/prod/web/new", addresses: [address], on: "h1", interface: "v-new")
                fleet.endpoints.insert(fleet.endpoints.removeLast(), at: 0)
            }
        }
        try await branch("good", add("10.0.1.77"))
        try await branch("clash", add("10.0.1.99"))
        try await branch("wrong") { $0.endpoints[1].host = "h9" }
        try await branch("conflict") { $0.endpoints[$0.endpoints.count - 1].interface = "v-other" }
        try await git.git("switch", "-q", "-c", "deleted", "main")
        try await git.git("mv", "net/acme.yaml", "net/acme.json")
        try await git.commit([:])
        try await git.git("switch", "-q", "main")
        fleet.endpoints[fleet.endpoints.count - 1].interface = "v-main"
        fleet.endpoints[fleet.endpoints.count - 1].addresses = ["10.0.1.99"]
        try await commit(fleet)
        try await git.git("clone", "-q", "\(git.folder)/repo", "\(git.folder)/clone")
        return git
    }

    private static func document(_ path: String) async throws -> Data {
        let repository = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        // `on` is a truth value to YAML 1.1, and no key of JSON.
        let program = "import json, sys, yaml; print(json.dumps({str(k): v for k, v in yaml.safe_load(open(sys.argv[1])).items()}))"
        return Data(try await Tool.check("python3", "-c", program, repository.appending("examples/ci/\(path)").string).utf8)
    }

    /// Runs a script as a step of a pipeline.
    private static func run(_ script: String, _ words: [String], in git: GitFixture, _ environment: [String: String]) async throws
        -> Tool.Outcome
    {
        #expect(!script.contains("${{"), "what others name is data, not a part of a script")
        try await git.write("step.sh", script)
        var settings = environment
        let programs = FilePath(Tool().path).removingLastComponent().string
        settings["PATH"] = "\(programs):/usr/local/bin:/usr/bin:/bin"
        (settings["NO_PROXY"], settings["no_proxy"]) = ("*", "*")
        return try await Tool.execute(
            ["sh", "-c", #"cd "$0" && exec "$@""#, "\(git.folder)/clone"] + words + ["\(git.folder)/step.sh"], environment: settings)
    }

    @Test("GitHub", .enabled(if: Tool.exists("jq") && Tool.exists("curl"))) func github() async throws {
        struct Workflow: Decodable {
            struct Job: Decodable { let steps: [Step] }
            struct Step: Decodable { let name: String?, run: String? }
            let jobs: [String: Job]
        }
        let workflow = try JSONDecoder().decode(Workflow.self, from: await Self.document(".github/workflows/network.yml"))
        let steps = try #require(workflow.jobs["plan"]).steps.filter { $0.run != nil && $0.name?.hasPrefix("Install") == false }
        #expect(steps.map(\.name) == ["Validate", "Plan", "Comment"])
        let git = try await Self.clone()
        try await GitServer.run("forge.py", [], in: git) { forge in
            for request in Self.requests {
                let branch = try await git.git("rev-parse", "origin/\(request.branch)", in: "clone")
                // As actions/checkout leaves it; without the merge, where that conflicts.
                try await git.git("checkout", "-q", "--detach", branch, in: "clone")
                let summary = "\(git.folder)/summary-\(request.branch)"
                let environment = [
                    "TOPOLOGY": "net", "BASE": "origin/main", "HEAD": branch, "PULL_REQUEST": "12", "GITHUB_STEP_SUMMARY": summary,
                    "GITHUB_REPOSITORY": "acme/net", "GITHUB_API_URL": "http://127.0.0.1:\(forge.port)", "GITHUB_TOKEN": "secret",
                ]
                var outcomes: [Tool.Outcome] = []
                for step in steps {
                    outcomes.append(
                        try await Self.run(step.run ?? "", ["bash", "--noprofile", "--norc", "-eo", "pipefail"], in: git, environment))
                }
                #expect(outcomes[0].status == (request.branch == "wrong" ? 1 : 0), "\(outcomes[0])")
                if request.branch == "wrong" {
                    #expect(outcomes[0].output.contains("::error file=net/acme.yaml,line="), "\(outcomes[0].output)")
                    #expect(outcomes[0].output.contains(",title=MZ304::there is no host “h9”"), "\(outcomes[0].output)")
                }
                #expect(outcomes[1].status == request.status, "\(request.branch): \(outcomes[1])")
                #expect(outcomes[2].status == 0 && !outcomes[2].output.contains("::warning"), "\(outcomes[2])")
                let comment = try await Self.comment(forge)
                for words in request.words { #expect(comment.contains(words), "\(words) in \(comment)") }
                #expect(try await Tool.check("cat", summary) == comment)
            }
            let written = forge.requests.filter { !$0.hasPrefix("GET") }
            #expect(written.count == Self.requests.count && written[0] == "POST /repos/acme/net/issues/12/comments")
            #expect(Set(written.dropFirst()) == ["PATCH /repos/acme/net/issues/comments/1121"], "one comment, updated")
        }
    }

    @Test("GitLab", .enabled(if: Tool.exists("jq") && Tool.exists("curl"))) func gitlab() async throws {
        struct Pipeline: Decodable {
            struct Job: Decodable { let script: [String] }
            let network: Job
        }
        struct Finding: Decodable {
            struct Location: Decodable { let path: String }
            let checkName: String
            let location: Location
        }
        let script = try JSONDecoder().decode(Pipeline.self, from: await Self.document(".gitlab-ci.yml")).network.script
        let git = try await Self.clone()
        try await GitServer.run("forge.py", [], in: git) { forge in
            for request in Self.requests {
                let branch = try await git.git("rev-parse", "origin/\(request.branch)", in: "clone")
                try await git.git("checkout", "-q", "--detach", branch, in: "clone")
                let environment = [
                    "TOPOLOGY": "net", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_SHA": branch,
                    "CI_API_V4_URL": "http://127.0.0.1:\(forge.port)", "CI_MERGE_REQUEST_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "12",
                    "GITLAB_TOKEN": "secret",
                ]
                // One after the other in one shell, which ends with the first that fails.
                let outcome = try await Self.run(script.joined(separator: "\n"), ["sh", "-e"], in: git, environment)
                #expect(outcome.status == request.status, "\(request.branch): \(outcome)")
                let note = try await Self.comment(forge)
                for words in request.words { #expect(note.contains(words), "\(words) in \(note)") }
                let quality = Data(try await Tool.check("cat", "\(git.folder)/clone/quality.json").utf8)
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let findings = try decoder.decode([Finding].self, from: quality)
                let expected = ["wrong": ["MZ304 net/acme.yaml"], "deleted": ["MZ017 net/acme.json"]]
                #expect(findings.map { "\($0.checkName) \($0.location.path)" } == expected[request.branch, default: []])
            }
            let written = forge.requests.filter { !$0.hasPrefix("GET") }
            #expect(written.first == "POST /projects/3/merge_requests/12/notes" && written.count == Self.requests.count)
            #expect(Set(written.dropFirst()) == ["PUT /projects/3/merge_requests/12/notes/1121"], "one note, updated")
        }
    }

    /// The body of the pipeline's own comment.
    private static func comment(_ forge: GitServer) async throws -> String {
        struct Thing: Decodable {
            let id: Int
            let body: String
        }
        let page = try await Tool.check(
            "curl", "-fsS", "--noproxy", "*", "-H", "PRIVATE-TOKEN: secret", "http://127.0.0.1:\(forge.port)/x?per_page=100&page=2")
        let things = try JSONDecoder().decode([Thing].self, from: Data(page.utf8))
        #expect(things.first { $0.id == 500 }?.body.hasSuffix("copied") == true, "somebody else's stays")
        return things.first { $0.id == 1121 }?.body ?? ""
    }
}
