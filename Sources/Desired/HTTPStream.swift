/// A connection that carries bytes both ways: a socket, or TLS upon another stream.
protocol HTTPStream: AnyObject {
    /// Gives at least one byte, or 0 where the other end has closed it.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int
    func write(_ bytes: UnsafeRawBufferPointer) throws(HTTPFailure)
    /// How long `read` waits, in milliseconds; negative: for ever. The process has its own deadline.
    var patience: Int32 { get set }
}
