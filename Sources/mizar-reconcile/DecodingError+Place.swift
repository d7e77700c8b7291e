extension DecodingError {
    /// What is wrong with a JSON text, and where: `changes[3].after.value.vni: …`.
    var place: String {
        let (context, fault): (Context, String) =
            switch self {
            case .keyNotFound(let key, let context): (context, "“\(Self.snake(key.stringValue))” is missing")
            case .valueNotFound(let type, let context): (context, "null where \(Self.word(type)) belongs")
            case .typeMismatch(let type, let context): (context, "not \(Self.word(type))")
            case .dataCorrupted(let context): (context, context.debugDescription)
            @unknown default: (Context(codingPath: [], debugDescription: ""), "\(self)")
            }
        let path = context.codingPath.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + Self.snake(key.stringValue)
            }
        }
        return path.isEmpty ? fault : "\(path): \(fault)"
    }

    private static func word(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is any FixedWidthInteger.Type: "a whole number of its size"
        case is any Collection.Type: "a list"
        default: "an object"
        }
    }

    /// As the JSON has it.
    private static func snake(_ key: String) -> String {
        key.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
