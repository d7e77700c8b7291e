import Subprocess
import SystemPackage

/// Other programs, run and waited for.
public enum Command {
    public struct Outcome: Sendable {
        public let succeeded: Bool
        public let output: String
        public let error: String
    }

    /// Runs a program, found by `PATH` unless it is a path, to its end.
    public static func run(_ program: String, _ arguments: [String], input: String = "") async throws(LabError) -> Outcome {
        do {
            let executable: Executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
            let result = try await Subprocess.run(
                executable, arguments: Arguments(arguments), input: .string(input), output: .string(limit: 16 << 20),
                error: .string(limit: 1 << 20))
            return Outcome(
                succeeded: result.terminationStatus.isSuccess, output: result.standardOutput, error: result.standardError)
        } catch {
            throw LabError("run", program, cause: "\(error)")
        }
    }

    /// Runs lines of ip(8), all in one process, in a namespace or in ours.
    public static func ip(_ lines: [String], in namespace: String? = nil) async throws(LabError) {
        guard !lines.isEmpty else { return }
        let place = namespace.map { ["-n", $0] } ?? []
        let outcome = try await run("ip", place + ["-batch", "-"], input: lines.joined(separator: "\n") + "\n")
        guard !outcome.succeeded else { return }
        throw LabError("run", failed(outcome.error, of: lines, in: namespace), cause: firstLine(outcome.error))
    }

    /// The line that `ip -batch` stopped at: it ends with “Command failed -:NUMBER”.
    private static func failed(_ error: String, of lines: [String], in namespace: String?) -> String {
        let place = namespace.map { "ip -n \($0) " } ?? "ip "
        guard let colon = error.lastIndex(of: ":"),
            let number = Int(error[error.index(after: colon)...].filter(\.isNumber)), lines.indices.contains(number - 1)
        else { return place + "-batch" }
        return "“\(place)\(lines[number - 1])”"
    }

    static func firstLine(_ text: String) -> String {
        text.split(separator: "\n").first.map(String.init) ?? "it failed without a word"
    }

    /// Runs `body` for every item, a few at a time, and throws the first error once all have ended.
    static func forEach<Item: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws(LabError) -> Void
    ) async throws(LabError) {
        let results = await map(items) { item -> LabError? in
            do throws(LabError) {
                try await body(item)
                return nil
            } catch {
                return error
            }
        }
        for case let error? in results { throw error }
    }

    /// `body` of every item, a few at a time, in the order of `items`.
    static func map<Item: Sendable, Value: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async -> Value
    ) async -> [Value] {
        await withTaskGroup(of: (Int, Value).self) { group in
            var results = [Value?](repeating: nil, count: items.count)
            var next = 0
            while next < min(8, items.count) {
                let index = next
                group.addTask { (index, await body(items[index])) }
                next += 1
            }
            while let (index, value) = await group.next() {
                results[index] = value
                guard next < items.count else { continue }
                let index = next
                group.addTask { (index, await body(items[index])) }
                next += 1
            }
            return results.compactMap(\.self)
        }
    }
}
