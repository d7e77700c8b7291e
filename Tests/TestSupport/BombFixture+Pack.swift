import SystemPackage

extension BombFixture {
    /// A file of a few bytes that is packed as the difference to one of `megabytes`, which compresses to nearly nothing.
    ///
    /// - Returns: the small one's id.
    public func delta(of text: String, toMegabytes megabytes: Int) async throws -> String {
        let script = """
            import hashlib, struct, sys, zlib
            text, size = sys.argv[1].encode(), int(sys.argv[2]) << 20
            def varint(n):
                out = b""
                while n > 127: out, n = out + bytes([n & 127 | 128]), n >> 7
                return out + bytes([n])
            def head(kind, n):
                first, rest = kind << 4 | n & 15, n >> 4
                return bytes([first | 128]) + varint(rest) if rest else bytes([first])
            packer = zlib.compressobj(9)
            base = head(3, size) + b"".join(packer.compress(b"#" * (1 << 20)) for _ in range(size >> 20)) + packer.flush()
            delta = varint(size) + varint(len(text)) + bytes([len(text)]) + text
            offset, n = [len(base) & 127], len(base) >> 7
            while n: n -= 1; offset.insert(0, n & 127 | 128); n >>= 7
            pack = b"PACK" + struct.pack(">II", 2, 2) + base + head(6, len(delta)) + bytes(offset) + zlib.compress(delta)
            sys.stdout.buffer.write(pack + hashlib.sha1(pack).digest())
            """
        let command =
            "python3 -c \"$0\" \"$1\" \"$2\" | git -C \"$3\" index-pack --stdin && printf %s \"$1\" | git -C \"$3\" hash-object --stdin"
        _ = try await blob("")
        let outcome = try await Tool.execute(["sh", "-c", command, script, text, "\(megabytes)", repo])
        guard outcome.succeeded, let id = outcome.output.split(separator: "\n").last else { throw FixtureError(text: outcome.error) }
        return String(id)
    }
}
