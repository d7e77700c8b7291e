import Topology

// The JSON form of a step: flat, with Terraform's words (`address`, `actions`, `before`, `after`), and whole: a saved
// plan is read back from it.

extension Step: Codable {
    private enum Field: String, CodingKey {
        case address, actions, detail, phase, source, bookkeeping, kind, before, after, table, from, to, attachment, orElse
    }

    private enum Kind: String, Codable { case row, capacity, programs, attach, detach, device }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        let change: Change =
            switch try fields.decode(Kind.self, forKey: .kind) {
            case .row:
                .row(
                    before: try fields.decodeIfPresent(Record.self, forKey: .before),
                    after: try fields.decodeIfPresent(Record.self, forKey: .after))
            case .capacity:
                .capacity(
                    try fields.decode(Table.self, forKey: .table), from: try fields.decode(Int.self, forKey: .from),
                    to: try fields.decode(Int.self, forKey: .to))
            case .programs:
                .programs(
                    from: try fields.decode(Hex.self, forKey: .from).wrappedValue,
                    to: try fields.decode(Hex.self, forKey: .to).wrappedValue)
            case .attach:
                .attach(
                    try fields.decode(Attachment.self, forKey: .attachment),
                    orElse: try fields.decodeIfPresent(DatapathRow.self, forKey: .orElse))
            case .detach: .detach(try fields.decode(Attachment.self, forKey: .attachment))
            case .device:
                .device(
                    before: try fields.decodeIfPresent(Device.self, forKey: .before),
                    after: try fields.decodeIfPresent(Device.self, forKey: .after))
            }
        self.init(
            phase: try fields.decode(Phase.self, forKey: .phase), change: change,
            subject: try fields.decode(String.self, forKey: .address),
            detail: try fields.decode(String.self, forKey: .detail),
            at: try fields.decodeIfPresent(SourceLocation.self, forKey: .source))
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(subject, forKey: .address)
        try fields.encode([action], forKey: .actions)
        try fields.encode(detail, forKey: .detail)
        try fields.encode(phase, forKey: .phase)
        try fields.encodeIfPresent(at, forKey: .source)
        try fields.encode(isBookkeeping, forKey: .bookkeeping)
        switch change {
        case .row(let before, let after):
            try fields.encode(Kind.row, forKey: .kind)
            try fields.encode(before, forKey: .before)
            try fields.encode(after, forKey: .after)
        case .capacity(let table, let from, let to):
            try fields.encode(Kind.capacity, forKey: .kind)
            try fields.encode(table, forKey: .table)
            try fields.encode(from, forKey: .from)
            try fields.encode(to, forKey: .to)
        case .programs(let from, let to):
            try fields.encode(Kind.programs, forKey: .kind)
            try fields.encode(Hex(wrappedValue: from), forKey: .from)
            try fields.encode(Hex(wrappedValue: to), forKey: .to)
        case .attach(let attachment, let orElse):
            try fields.encode(Kind.attach, forKey: .kind)
            try fields.encode(attachment, forKey: .attachment)
            try fields.encodeIfPresent(orElse, forKey: .orElse)
        case .detach(let attachment):
            try fields.encode(Kind.detach, forKey: .kind)
            try fields.encode(attachment, forKey: .attachment)
        case .device(let before, let after):
            try fields.encode(Kind.device, forKey: .kind)
            try fields.encode(before, forKey: .before)
            try fields.encode(after, forKey: .after)
        }
    }
}
