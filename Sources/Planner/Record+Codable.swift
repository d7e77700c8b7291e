import Topology

// The JSON form of a row: {"table": …, "key": …, "value": …}. docs/schema/plan.schema.json describes it.

extension Record: Codable {
    private enum Field: String, CodingKey { case table, key, value }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        let table = try fields.decode(Table.self, forKey: .table)
        if let key = try? fields.decode([UInt8].self, forKey: .key) {
            self = .foreign(table, key: key, value: try fields.decode([UInt8].self, forKey: .value))
            return
        }
        switch table {
        case .config: self = .config(try fields.decode(ConfigRow.self, forKey: .value))
        case .hosts:
            self = .host(try fields.decode(IPAddress.self, forKey: .key), try fields.decode(HostRow.self, forKey: .value))
        case .vpcs:
            self = .vpc(try fields.decode(UInt32.self, forKey: .key), try fields.decode(VPCRow.self, forKey: .value))
        case .networks:
            self = .network(
                try fields.decode(NetworkKey.self, forKey: .key), try fields.decode(NetworkRow.self, forKey: .value))
        case .endpoints:
            self = .endpoint(
                try fields.decode(EndpointKey.self, forKey: .key), try fields.decode(EndpointRow.self, forKey: .value))
        case .ports:
            self = .port(try fields.decode(UInt32.self, forKey: .key), try fields.decode(PortRow.self, forKey: .value))
        case .portMACs:
            self = .portMAC(
                try fields.decode(UInt32.self, forKey: .key), try fields.decode(MACAddress.self, forKey: .value))
        case .direct:
            self = .direct(
                try fields.decode(UInt32.self, forKey: .key), capacity: try fields.decode(Int.self, forKey: .value))
        case .traffic:
            throw DecodingError.dataCorruptedError(forKey: .table, in: fields, debugDescription: "counters are in no plan")
        case .names:
            self = .name(
                try fields.decode(Hex.self, forKey: .key).wrappedValue, try fields.decode(String.self, forKey: .value))
        case .waits:
            self = .wait(
                digest: try fields.decode(Hex.self, forKey: .key).wrappedValue,
                since: try fields.decode(UInt64.self, forKey: .value))
        case .datapath: self = .datapath(try fields.decode(DatapathRow.self, forKey: .value))
        case .applied: self = .applied(try fields.decode(AppliedRow.self, forKey: .value))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(table, forKey: .table)
        switch self {
        case .config(let row): try fields.encode(row, forKey: .value)
        case .host(let key, let row):
            try fields.encode(key, forKey: .key)
            try fields.encode(row, forKey: .value)
        case .vpc(let key, let row):
            try fields.encode(key, forKey: .key)
            try fields.encode(row, forKey: .value)
        case .network(let key, let row):
            try fields.encode(key, forKey: .key)
            try fields.encode(row, forKey: .value)
        case .endpoint(let key, let row):
            try fields.encode(key, forKey: .key)
            try fields.encode(row, forKey: .value)
        case .port(let key, let row):
            try fields.encode(key, forKey: .key)
            try fields.encode(row, forKey: .value)
        case .portMAC(let key, let mac):
            try fields.encode(key, forKey: .key)
            try fields.encode(mac, forKey: .value)
        case .direct(let vni, let capacity):
            try fields.encode(vni, forKey: .key)
            try fields.encode(capacity, forKey: .value)
        case .name(let id, let text):
            try fields.encode(Hex(wrappedValue: id), forKey: .key)
            try fields.encode(text, forKey: .value)
        case .wait(let digest, let since):
            try fields.encode(Hex(wrappedValue: digest), forKey: .key)
            try fields.encode(since, forKey: .value)
        case .datapath(let row): try fields.encode(row, forKey: .value)
        case .applied(let row): try fields.encode(row, forKey: .value)
        case .foreign(_, let key, let value):
            try fields.encode(key, forKey: .key)
            try fields.encode(value, forKey: .value)
        }
    }
}
