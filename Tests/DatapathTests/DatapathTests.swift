import Testing

/// All of them share one kernel object, so they take turns.
@Suite(.serialized) struct DatapathTests {}
