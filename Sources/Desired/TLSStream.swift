import COpenSSL
import Glibc

/// A TLS client upon another stream. OpenSSL reads and writes memory, and what it has there is carried from here: so TLS goes
/// through a proxy that itself speaks TLS, and a broken connection raises no signal.
final class TLSStream: HTTPStream {
    /// The system's authorities, and no others: git's settings and environment variables do not change them.
    static let authorities = "/etc/ssl/certs/ca-certificates.crt"

    private let below: any HTTPStream
    private let host: String
    private let ssl: OpaquePointer
    /// What came from the other end, and what goes there; `ssl` owns both.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private var carried = [UInt8](repeating: 0, count: 17 << 10)

    var patience: Int32 {
        get { below.patience }
        set { below.patience = newValue }
    }

    /// Shakes hands. The certificate must be the host's: a DNS name, or an address.
    init(upon below: any HTTPStream, host: String) throws(HTTPFailure) {
        let context = try Self.context()
        defer { SSL_CTX_free(context) }
        guard let ssl = SSL_new(context) else { throw HTTPFailure("cannot start TLS: \(Self.reason)") }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw HTTPFailure("cannot start TLS: \(Self.reason)")
        }
        SSL_set_bio(ssl, incoming, outgoing)
        (self.below, self.host, self.ssl, self.incoming, self.outgoing) = (below, host, ssl, incoming, outgoing)
        // A name may end with a dot, in certificates it never does.
        let name = host.last == "." ? String(host.dropLast()) : host
        let isAddress = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
        ERR_clear_error()
        guard isAddress || SSL_set1_host(ssl, name) == 1 && mzr_ssl_set_server_name(ssl, name) == 1 else {
            throw HTTPFailure("cannot ask for the certificate of \(host): \(Self.reason)")
        }
        while true {
            let code = SSL_connect(ssl)
            if code == 1 { break }
            try proceed(code, doing: "the TLS handshake with \(host)")
        }
        try carryOut()
    }

    deinit { SSL_free(ssl) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int {
        while true {
            ERR_clear_error()
            let code = SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count))
            if code > 0 { return Int(code) }
            if SSL_get_error(ssl, code) == SSL_ERROR_ZERO_RETURN { return 0 }
            try proceed(code, doing: "reading from \(host) by TLS")
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(HTTPFailure) {
        var rest = bytes
        while !rest.isEmpty {
            ERR_clear_error()
            let code = SSL_write(ssl, rest.baseAddress, Int32(clamping: rest.count))
            if code > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[Int(code)...])
            } else {
                try proceed(code, doing: "writing to \(host) by TLS")
            }
            try carryOut()
        }
    }

    /// Carries bytes until OpenSSL can go on; throws where it cannot.
    private func proceed(_ code: Int32, doing what: String) throws(HTTPFailure) {
        let error = SSL_get_error(ssl, code)
        // Before anything else: an alert says to the server why we leave.
        try carryOut()
        guard error == SSL_ERROR_WANT_READ else {
            let verdict = SSL_get_verify_result(ssl)
            guard verdict == Int(X509_V_OK) else {
                let text = String(cString: X509_verify_cert_error_string(verdict))
                throw HTTPFailure("the certificate of \(host) is refused: \(text)")
            }
            throw HTTPFailure("\(what) failed: \(Self.reason)")
        }
        let count = try below.read(into: &carried)
        guard count > 0 else { throw HTTPFailure("\(what) failed: the other end closed the connection", isLost: true) }
        guard BIO_write(incoming, carried, Int32(count)) == Int32(count) else { throw HTTPFailure("\(what) failed: \(Self.reason)") }
    }

    private func carryOut() throws(HTTPFailure) {
        while true {
            let count = BIO_read(outgoing, &carried, Int32(carried.count))
            guard count > 0 else { return }
            try below.write(carried, count: Int(count))
        }
    }

    private static func context() throws(HTTPFailure) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw HTTPFailure("cannot start TLS: \(reason)") }
        do throws(HTTPFailure) {
            guard access(authorities, R_OK) == 0, SSL_CTX_load_verify_locations(context, authorities, nil) == 1 else {
                throw HTTPFailure("cannot read the system’s authorities, \(authorities): install the package ca-certificates")
            }
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            // For servers that choose the protocol by it: length, then name.
            let protocols = [8] + Array("http/1.1".utf8)
            guard mzr_ssl_require_tls12(context) == 1, SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count)) == 0 else {
                throw HTTPFailure("cannot start TLS: \(reason)")
            }
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        return context
    }

    /// What OpenSSL said last.
    private static var reason: String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "the connection ended" }
        return String(cString: text)
    }
}

extension HTTPStream {
    func read(into bytes: inout [UInt8]) throws(HTTPFailure) -> Int {
        try bytes.withUnsafeMutableBufferPointer { buffer throws(HTTPFailure) in try read(into: UnsafeMutableRawBufferPointer(buffer)) }
    }

    func write(_ bytes: [UInt8], count: Int) throws(HTTPFailure) {
        try bytes.withUnsafeBufferPointer { buffer throws(HTTPFailure) in
            try write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count])))
        }
    }
}
