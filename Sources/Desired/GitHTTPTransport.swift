import CGit2

/// Hands libgit2 a transport for http and https that speaks by a `GitHTTPRemote`.
///
/// libgit2 keeps the smart protocol; it asks for a stream for each request, writes the request's body to it, and reads the answer.
enum GitHTTPTransport {
    /// A `git_transport_cb`; the parameter is the session, which outlives the remote's connection.
    static let make: git_transport_cb = { out, remote, payload in
        var definition = git_smart_subtransport_definition(callback: makeSubtransport, rpc: 1, param: payload)
        return git_transport_smart(out, remote, &definition)
    }

    private static let makeSubtransport: git_smart_subtransport_cb = { out, _, payload in
        guard let out else { return GIT_ERROR.rawValue }
        let memory = UnsafeMutablePointer<mzr_git_subtransport>.allocate(capacity: 1)
        let parent = git_smart_subtransport(
            action: { out, transport, _, service in
                guard let out, let transport else { return GIT_ERROR.rawValue }
                return GitHTTPTransport.open(out, transport, service)
            },
            close: { _ in 0 },
            free: { transport in
                guard let transport else { return }
                UnsafeMutableRawPointer(transport).assumingMemoryBound(to: mzr_git_subtransport.self).deallocate()
            })
        memory.initialize(to: mzr_git_subtransport(parent: parent, owner: payload))
        out.pointee = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: git_smart_subtransport.self)
        return 0
    }

    private static func open(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_smart_subtransport_stream>?>,
        _ transport: UnsafeMutablePointer<git_smart_subtransport>, _ service: git_smart_service_t
    ) -> Int32 {
        let payload = UnsafeMutableRawPointer(transport).assumingMemoryBound(to: mzr_git_subtransport.self).pointee.owner
        guard let (session, remote) = GitSession.http(payload) else { return GIT_ERROR.rawValue }
        guard service == GIT_SERVICE_UPLOADPACK_LS || service == GIT_SERVICE_UPLOADPACK else {
            session.refuse(HTTPFailure("repositories are only read"))
            return GIT_ERROR.rawValue
        }
        let stream = GitHTTPStream(session, remote, isDiscovery: service == GIT_SERVICE_UPLOADPACK_LS)
        let memory = UnsafeMutablePointer<mzr_git_stream>.allocate(capacity: 1)
        let parent = git_smart_subtransport_stream(
            subtransport: transport,
            read: { stream, buffer, size, count in
                guard let buffer, let count, let stream = GitHTTPTransport.object(stream) else { return GIT_ERROR.rawValue }
                return stream.attempt { stream throws(HTTPFailure) in
                    count.pointee = try stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
                }
            },
            write: { stream, bytes, size in
                guard let bytes, let stream = GitHTTPTransport.object(stream) else { return GIT_ERROR.rawValue }
                stream.write(UnsafeRawBufferPointer(start: bytes, count: size))
                return 0
            },
            free: { stream in
                guard let stream else { return }
                let memory = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: mzr_git_stream.self)
                if let owner = memory.pointee.owner { Unmanaged<GitHTTPStream>.fromOpaque(owner).release() }
                memory.deallocate()
            })
        memory.initialize(to: mzr_git_stream(parent: parent, owner: Unmanaged.passRetained(stream).toOpaque()))
        out.pointee = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: git_smart_subtransport_stream.self)
        return 0
    }

    private static func object(_ stream: UnsafeMutablePointer<git_smart_subtransport_stream>?) -> GitHTTPStream? {
        guard let stream else { return nil }
        let memory = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: mzr_git_stream.self)
        return memory.pointee.owner.map { Unmanaged<GitHTTPStream>.fromOpaque($0).takeUnretainedValue() }
    }
}
