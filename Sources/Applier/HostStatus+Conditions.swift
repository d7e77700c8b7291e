public import Planner

/// Whether one thing about a host is as it should be.
public struct Condition: Hashable, Sendable {
    public enum Name: String, Hashable, Sendable, Codable {
        /// All others hold, or are not known.
        case ready = "Ready"
        /// The last round brought the host to the newest commit that it saw.
        case inSync = "InSync"
        /// The uplink carries, and it, `lo` and the ports are set up.
        case linksUp = "LinksUp"
        /// Each place that the rows ask for has its program.
        case programsAttached = "ProgramsAttached"
        /// The last round got the newest commit.
        case sourceReachable = "SourceReachable"
    }

    public enum Status: String, Hashable, Sendable, Codable {
        case holds = "true"
        case fails = "false"
        case unknown
    }

    public var name: Name
    public var status: Status
    /// When a round first found it so, nanoseconds of CLOCK_REALTIME; nil: nothing on this host says it.
    public var since: UInt64?
    /// One word, stable.
    public var reason: String
    /// In words.
    public var text: String
    /// What to do about it; nil: nothing.
    public var hint: String?
}

extension HostStatus {
    /// Ready first.
    ///
    /// - Parameter owner: whose maps these are, if they are another host's.
    public func conditions(owner: Owner?) -> [Condition] {
        guard observation.image.config != nil, applied != nil else {
            return [
                Condition(
                    name: .ready, status: .fails, reason: "NothingApplied", text: "nothing is applied here",
                    hint: "run `mizar-reconcile apply`, or start the daemon; name the maps' folder by --bpffs if it is another")
            ]
        }
        let others = [inSync, linksUp, programsAttached, sourceReachable]
        let failing = others.filter { $0.status == .fails }
        var ready = Condition(name: .ready, status: .holds, reason: "Well", text: "no condition fails")
        if let owner {
            (ready.status, ready.reason, ready.text) = (.fails, "OtherHost", "these maps are those of host \(owner)")
            ready.hint = "name this host right by --host, or give its own --bpffs"
        } else if let first = failing.first {
            (ready.status, ready.reason, ready.since) = (.fails, first.reason, first.since)
            ready.text = failing.map(\.text).joined(separator: "; ")
        }
        return [ready] + others
    }

    private var inSync: Condition {
        var found = Condition(name: .inSync, status: .unknown, since: round?.since, reason: "NoRound", text: "no round was noted")
        guard let round else { return found }
        found.text = round.text
        switch round.outcome {
        case .done: (found.status, found.reason, found.text) = (.holds, "Applied", "the newest commit seen is applied")
        case .partly:
            (found.status, found.reason, found.hint) = (.fails, "StepsFailed", "the next round tries again; `apply` says what fails")
        case .refused:
            (found.status, found.reason, found.hint) = (.fails, "Refused", "correct the commit, or allow it (docs/guards.md)")
        case .invalid:
            (found.status, found.reason) = (.fails, "Invalid")
            found.hint = "correct the newest commit; `mizar-reconcile validate` lists its errors"
        case .unreachable:
            (found.reason, found.text) = ("SourceUnreachable", "the newest commit is not known")
        case .failed: (found.status, found.reason, found.hint) = (.fails, "RoundFailed", "`apply` says why")
        }
        return found
    }

    private var sourceReachable: Condition {
        var found = Condition(
            name: .sourceReachable, status: .unknown, reason: "NotNoted",
            text: "the last round does not say whether it got the newest commit")
        switch round?.outcome {
        case .done, .refused, .invalid:
            (found.status, found.reason, found.text) = (.holds, "Fetched", "the last round got the newest commit")
        case .unreachable:
            (found.status, found.since, found.reason, found.text) = (.fails, round?.since, "Unreachable", round?.text ?? "")
            found.hint = "the host is kept on the commit that it applied last; docs/git.md has what fetching needs"
        case .partly, .failed, nil: break
        }
        return found
    }

    private var linksUp: Condition {
        let image = observation.image
        let interfaces = Dictionary(observation.interfaces.map { ($0.ifindex, $0) }) { first, _ in first }
        var found = Condition(name: .linksUp, status: .holds, reason: "Up", text: "uplink, lo and ports are up")
        var faults: [String] = []
        var hints: [String] = []
        func note(_ reason: String, _ text: String, _ hint: String) {
            if faults.isEmpty { found.reason = reason }
            faults.append(text)
            if hints.count < Self.mostNames { hints.append(hint) }
        }
        if let uplink = image.config.flatMap({ interfaces[$0.uplink] }) {
            if !uplink.isUp {
                note("UplinkDown", "\(uplink.name), the uplink, is down", "`ip link set \(uplink.name) up`")
            } else if !uplink.hasCarrier {
                note(
                    "UplinkNoCarrier", "\(uplink.name), the uplink, has no carrier", "look at the cable or the other end of \(uplink.name)")
            }
        } else {
            note("UplinkMissing", "the uplink does not exist", "make the interface that has the host's address")
        }
        if let lo = interfaces.values.first(where: { $0.medium == .loopback }), !lo.isUp {
            note("LoopbackDown", "lo is down", "`ip link set lo up`")
        }
        // A port without carrier is one whose workload is not up yet; one whose interface has gone is about to be pending.
        let down = image.ports.compactMap { ifindex, row in
            interfaces[ifindex].flatMap { $0.isUp ? nil : ($0.name, image.names[row.endpoint] ?? "an endpoint") }
        }.sorted { $0.0 < $1.0 }
        for (interface, endpoint) in down.prefix(Self.mostNames) {
            note("PortDown", "port \(interface) of \(endpoint) is down", "`ip link set \(interface) up`")
        }
        if down.count > Self.mostNames { faults.append("\(down.count - Self.mostNames) more ports are down") }
        return found.failing(faults, hints.joined(separator: "; "))
    }

    private var programsAttached: Condition {
        let image = observation.image
        let interfaces = Dictionary(observation.interfaces.map { ($0.ifindex, $0.name) }) { first, _ in first }
        var found = Condition(name: .programsAttached, status: .holds, reason: "Attached", text: "each place has its program")
        var wanted = image.ports.keys.map { ($0, Attachment.Point.port) }
        if let config = image.config {
            wanted += [(config.uplink, .uplink), (config.uplink, .guardEgress)]
            if let datapath, datapath.mode == .xdp { wanted.append((config.uplink, .xdp)) }
        }
        for one in observation.besideUplink(image) { wanted += [(one.ifindex, .beside), (one.ifindex, .besideGuard)] }
        if let lo = observation.interface("lo") { wanted.append((lo.ifindex, .loopback)) }
        let missing = wanted.compactMap { ifindex, point in
            interfaces[ifindex].map { Attachment(ifindex: ifindex, interface: $0, point: point) }
        }.filter { !observation.attachments.contains($0) }.sorted()
        var faults = missing.prefix(Self.mostNames).map { "the program \($0.point.rawValue) on \($0.interface) is missing" }
        if missing.count > Self.mostNames { faults.append("\(missing.count - Self.mostNames) more programs are missing") }
        if !faults.isEmpty { found.reason = "Missing" }
        if observation.elsewhere != nil || !observation.programsUsePinnedMaps {
            if faults.isEmpty { found.reason = "OtherMaps" }
            faults.append("programs run on other maps than those that are pinned here")
        }
        return found.failing(faults, "the next round of `run`, or `apply`, attaches them")
    }

    /// More are counted and not listed.
    private static let mostNames = 3
}

extension Condition {
    /// This one, failing if there is a fault.
    fileprivate func failing(_ faults: [String], _ hint: String) -> Condition {
        guard !faults.isEmpty else { return self }
        var copy = self
        (copy.status, copy.text, copy.hint) = (.fails, faults.joined(separator: "; "), hint)
        return copy
    }
}
