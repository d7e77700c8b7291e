import Applier
import Desired
import Logging
import Planner
import Topology

extension Reconciliation {
    /// The newest commit, fetched and read.
    ///
    /// - Parameters:
    ///   - held: what `run` has read last. It is not read again if it is still the newest.
    ///   - wrong: the commit that was found to have errors, which is not read again either: a verdict is the same on
    ///     every machine and at all times. That a commit could not be read is none.
    func newest(keeping held: Desired?, wrong: InvalidTopology?) throws -> Desired {
        let commit = try Source.commit(
            repo: source.repo, ref: source.revision.ref, cache: source.revision.cache, deadlineSeconds: source.revision.fetchTimeout)
        if let held, held.commit == commit { return held }
        if let wrong, wrong.commit == commit { throw wrong }
        return try Self.load(source, ref: commit, fetch: false)
    }

    /// Lets guards judge a commit that the host may go to, for some time.
    ///
    /// - Throws: `Unjudged` if that was not enough; it goes on from there.
    func judge(_ head: Desired, until end: ContinuousClock.Instant) throws {
        let image = try KernelStore(directory: host.maps.bpffs, forWriting: false).observe().image
        try decide(head, image, until: end)
    }

    /// The commit that this host applied last, where the newest one cannot be had: by its own row, or after a reboot by the
    /// mirror's reference. Nil: neither repository nor mirror has it, or it names no such host.
    func lastApplied() -> Desired? {
        let row = try? KernelStore(directory: host.maps.bpffs, forWriting: false).readApplied()
        for ref in [row?.commit].compactMap(\.self) + host.names.map(Mirror.appliedRef(host:)) where !ref.isEmpty {
            do {
                let desired = try Self.load(source, ref: ref, fetch: false)
                _ = try host.entry(in: desired.topology)
                return desired
            } catch {
                logger.debug("the commit applied last cannot be read: \(error)")
            }
        }
        return nil
    }
}
