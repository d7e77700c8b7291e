import Glibc
import Synchronization

/// Does something over and over, on a thread that shares the network namespace of the one that makes it.
final class Beside: Sendable {
    private let body: @Sendable () -> Void
    private let isRunning = Atomic<Bool>(true)
    private let thread = Atomic<UInt>(0)

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let beside = Unmanaged<Beside>.fromOpaque(argument).takeRetainedValue()
                while beside.isRunning.load(ordering: .relaxed) { beside.body() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(created == 0, "no thread")
        self.thread.store(UInt(thread), ordering: .relaxed)
    }

    /// Waits until it has ended.
    func stop() {
        guard isRunning.exchange(false, ordering: .relaxed) else { return }
        pthread_join(pthread_t(thread.load(ordering: .relaxed)), nil)
    }
}
