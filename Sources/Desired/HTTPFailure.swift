/// Why an exchange by HTTP failed, in words for the user; never with a secret in them.
struct HTTPFailure: Error {
    let message: String
    /// The other end closed the connection, or was silent for longer than we wait here.
    let isLost: Bool

    init(_ message: String, isLost: Bool = false) {
        self.message = message
        self.isLost = isLost
    }
}
