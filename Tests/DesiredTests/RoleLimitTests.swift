import CBPF
import Testing

@testable import Desired

/// The one number that this module cannot take from mizar_abi.h, which it does not import.
@Suite struct RoleLimitTests {
    @Test func isTheTablesLimit() { #expect(TopologyCheck.roleLimit == Int(MZR_MEMBERS_MAX)) }
}
