import CBPF
import Foundation
import Testing
import TestSupport

@testable import Applier

/// Room on the stacks of programs, so that what comes next has some.
extension DatapathTests {
    /// `make` compiles this object with so much more on each stack; no program calls another's frame its own. Before Linux 6.8
    /// the kernel counts each frame as a multiple of 32 bytes, after it of 16: there all must load, without room to spare.
    @Test(
        "every program has 200 bytes of its stack free, on each way", .enabled(if: HostCheck.kernelVersion() >= (6, 8)),
        arguments: [false, true])
    func everyProgramHasRoomOnItsStack(readsKernelStructs: Bool) async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let object = "build/spare.bpf.o"
        let made = try await Tool.execute(["make", "--no-print-directory", "-C", root.path, object])
        guard made.succeeded else { throw Datapath.Failure(description: "make \(object): \(made.output)\(made.error)") }
        let bytes = try [UInt8](Data(contentsOf: root.appending(path: object)))
        _ = try Datapath(bytes, readsKernelStructs: readsKernelStructs)
    }
}
