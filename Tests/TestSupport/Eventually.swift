/// Waits until the condition holds, looking every 20 ms.
///
/// - Returns: whether it came to hold in time.
public func eventually(
    within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while true {
        if try await condition() { return true }
        guard clock.now < end else { return false }
        try await Task.sleep(for: .milliseconds(20))
    }
}
