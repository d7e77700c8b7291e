import CGit2

extension HTTPProxies {
    /// The proxies that git's settings name for `repository`, the user's and the system's included, and those of the environment.
    init(settingsOf repository: OpaquePointer?) {
        self.init(settings: Self.settings(of: repository), environment: Mirror.environment)
    }

    private static func settings(of repository: OpaquePointer?) -> [(url: String?, proxy: String)] {
        var config: OpaquePointer?
        guard git_repository_config(&config, repository) == 0 else { return [] }
        defer { git_config_free(config) }
        var iterator: OpaquePointer?
        guard git_config_iterator_glob_new(&iterator, config, "^http\\..*proxy$") == 0 else { return [] }
        defer { git_config_iterator_free(iterator) }
        var found: [(url: String?, proxy: String)] = []
        var entry: UnsafeMutablePointer<git_config_entry>?
        while git_config_next(&entry, iterator) == 0, let entry {
            guard let text = entry.pointee.name, let value = entry.pointee.value else { continue }
            let name = String(cString: text)
            if name == "http.proxy" {
                found.append((nil, String(cString: value)))
            } else if name.hasPrefix("http."), name.hasSuffix(".proxy") {
                found.append((String(name.dropFirst(5).dropLast(6)), String(cString: value)))
            }
        }
        return found
    }
}
