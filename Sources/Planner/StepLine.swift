import Topology

/// A line of a plan: a step, or several that do the same to addresses or blocks of one thing, IPv4 and IPv6.
struct StepLine {
    let action: Step.Action
    /// As `Step.line`, with all of their addresses.
    let line: String

    var symbol: String { action.symbol }

    var diffLine: String { Step.diffLine(action, line) }

    /// In the order of their first steps.
    static func lines(of steps: [Step]) -> [StepLine] {
        struct Key: Hashable {
            let action: Step.Action
            let thing: String
            let detail: String
            let at: SourceLocation?
        }
        var order: [Key] = []
        var groups: [Key: [String]] = [:]
        for step in steps {
            let address = step.address
            let thing = address.isEmpty ? step.subject : String(step.subject.dropLast(address.count + 1))
            let key = Key(action: step.action, thing: thing, detail: step.detail, at: step.at)
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(address)
        }
        return order.map { key in
            let addresses = (groups[key] ?? []).filter { !$0.isEmpty }.joined(separator: ", ")
            let subject = addresses.isEmpty ? key.thing : "\(key.thing) \(addresses)"
            let line = subject + (key.detail.isEmpty ? "" : ": \(key.detail)") + (key.at.map { "  (\($0))" } ?? "")
            return StepLine(action: key.action, line: line.printable)
        }
    }
}

extension Step {
    /// With which `subject` ends, of a row that each address or block of a thing has; empty for any other.
    fileprivate var address: String {
        guard case .row(let before, let after) = change, let record = after ?? before else { return "" }
        let text: String
        switch record {
        case .endpoint(let key, _): text = "\(key.address)"
        case .network(let key, _): text = "\(key.cidr)"
        case .config, .host, .vpc, .port, .portMAC, .direct, .name, .wait, .datapath, .applied, .foreign: return ""
        }
        return subject.hasSuffix(" " + text) ? text : ""
    }
}
