public import Planner

/// Where a plan is carried out: the seam between the executor and the kernel.
public protocol MapStore {
    /// What is there now.
    func observe() throws(BPFError) -> Observation

    /// Does the steps in their order: one, or rows of one table and one action.
    ///
    /// - Returns: the row that `orElse` of an attachment named, where the driver refused and tc stays.
    /// - Throws: with `completed` of the steps done.
    func perform(_ steps: ArraySlice<Step>) throws(BPFError) -> DatapathRow?
}
