/// What Linux takes for an interface's name.
public enum InterfaceName {
    /// Why no interface can have the name (the kernel's dev_valid_name()); nil: one can.
    public static func fault(_ name: String) -> String? {
        if name.isEmpty { return "it is empty" }
        if name.utf8.count > 15 { return "it has \(name.utf8.count) bytes, and 15 are the most" }
        if name == "." || name == ".." { return "it is a name of folders" }
        if name.utf8.contains(where: isForbidden) { return "it has one of / : or white space" }
        return nil
    }

    /// Why nobody may make, or ask for, an interface of the name; nil: one may.
    public static func faultOfNew(_ name: String) -> String? {
        if let fault = fault(name) { return fault.hasPrefix("it has one") ? "it has one of / : % or white space" : fault }
        if name == "all" || name == "default" { return "the kernel's settings use it for all interfaces" }
        if name == "lo" { return "it is the loopback" }
        if name.utf8.contains(UInt8(ascii: "%")) { return "it has one of / : % or white space" }
        return nil
    }

    private static func isForbidden(_ byte: UInt8) -> Bool {
        switch byte {
        // 0xa0 is white space to the kernel, whose table is Latin-1.
        case 0...0x20, 0x7f, 0xa0, UInt8(ascii: "/"), UInt8(ascii: ":"): true
        default: false
        }
    }
}
