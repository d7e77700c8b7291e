import CBPF
import Foundation
import Testing
import TestSupport

/// Room on the stacks of programs, so that what comes next has some.
extension DatapathTests {
    /// `make` compiles this object with so much more on each stack; no program calls another's frame its own.
    @Test("every program has 200 bytes of its stack free, on each way", arguments: [false, true])
    func everyProgramHasRoomOnItsStack(readsKernelStructs: Bool) async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let object = "build/spare.bpf.o"
        let made = try await Tool.execute(["make", "--no-print-directory", "-C", root.path, object])
        guard made.succeeded else { throw Datapath.Failure(description: "make \(object): \(made.output)\(made.error)") }
        let bytes = try [UInt8](Data(contentsOf: root.appending(path: object)))
        _ = try Datapath(bytes, readsKernelStructs: readsKernelStructs)
    }
}
