import WhenceCore
import WhenceEngine

extension ServerSetting {
    /// Every setting there is, in the order in which they are shown.
    public static var all: [ServerSetting] { places + security + logging + resources + limits }

    private static var places: [ServerSetting] {
        [
            .text("data", \.data, "DIR", "The directory of the store; an empty one is made where there is none."),
            address("listen", \.listen, "Where the protocol is served. Port 0 lets the system choose."),
            ServerSetting(
                key: "http.listen", valueName: "HOST:PORT", help: "Where /metrics, /healthz and /readyz are served; off: nowhere.",
                isSwitch: false
            ) { text, configuration throws(WhenceError) in
                configuration.http = text == "off" ? nil : try ListenAddress(parsing: text)
            } show: {
                $0.http.map { "\($0)" } ?? "off"
            },
        ]
    }

    private static var security: [ServerSetting] {
        [
            .optional(
                "tls.certificate", \.tlsFiles.certificate, "FILE",
                "The server's certificate, then those up to its authority (PEM); off: no TLS."),
            .optional("tls.key", \.tlsFiles.key, "FILE", "The private key of the certificate (PEM)."),
            .optional(
                "tls.client_authorities", \.tlsFiles.clientAuthorities, "FILE", "The authorities that sign clients' certificates (PEM)."),
            .choice(
                "tls.client_certificates", \.tlsFiles.clientCertificates, TLSConfigurationFiles.ClientCertificates.allCases.map(\.rawValue),
                "Whether clients show certificates. A verified one names its user."),
            .optional("users", \.users, "FILE", "The file of users and tokens ('whence user'); off: whoever connects may do everything."),
            .optional("audit_log", \.auditLog, "FILE", "Where administrative acts and refusals are recorded; off: nowhere."),
            .flag(
                "insecure_listen_without_tls_and_authentication", \.allowsInsecureListening,
                "Listen beyond this machine although anyone there can read, write and erase everything."),
        ]
    }

    private static var logging: [ServerSetting] {
        [
            .choice("log.level", \.log.level, LogSettings.levels, "The least level that is logged."),
            ServerSetting(
                key: "log.format", valueName: "text|json", help: "Lines for people, or a JSON object a line.", isSwitch: false
            ) { text, configuration throws(WhenceError) in
                guard let format = LogSettings.Format(rawValue: text) else { throw refusal("'\(text)' is neither text nor json") }
                configuration.log.format = format
            } show: {
                $0.log.format.rawValue
            },
            .duration("log.slow_request", \.slowRequest, "Requests that take longer are logged; off: none."),
        ]
    }

    private static var resources: [ServerSetting] {
        let mebibyte = 1 << 20
        return [
            .number(
                "store.latest_cache", \.store.latestCacheBytes, 0...mebibyte, scale: mebibyte, "MiB", "Memory for the cache of latest rows."
            ),
            .number("store.block_cache", \.store.blockCacheBytes, 1...mebibyte, scale: mebibyte, "MiB", "Memory for blocks of files."),
            .number(
                "store.history_cache", \.store.historyCacheBytes, 0...mebibyte, scale: mebibyte, "MiB",
                "Memory for images of files, for joins that come again; 0: none."),
            .number(
                "store.memtable", \.store.memtableBytes, 4...mebibyte, scale: mebibyte, "MiB", "Memory for rows that are not yet in files."),
            .number(
                "store.backfill", \.store.backfillBytes, 1...mebibyte, scale: mebibyte, "MiB", "Memory of one backfill before it spills."),
            .number("store.threads", \.store.threads, 1...256, "N", "Threads that one join or backfill may use."),
            .flag(
                "realtime_loops", \.realtimeLoops,
                "Threads that serve the network take the processor from all others at once; the system has to allow it."),
            ServerSetting(
                key: "store.durability", valueName: "synced|buffered",
                help: "What an acknowledged write survives: a power failure, or the end of the process.", isSwitch: false
            ) { text, configuration throws(WhenceError) in
                guard let durability = Durability(rawValue: text) else { throw refusal("'\(text)' is neither synced nor buffered") }
                configuration.store.durability = durability
            } show: {
                $0.store.durability.rawValue
            },
        ]
    }

    private static var limits: [ServerSetting] {
        let mebibyte = 1 << 20
        return [
            .number("limits.event_loops", \.limits.eventLoops, 1...256, "N", "Threads that serve the network."),
            .number("limits.connections", \.limits.connections, 1...1_000_000, "N", "Connections at once."),
            .number("limits.requests_per_connection", \.limits.requestsPerConnection, 1...65_536, "N", "Open requests of one connection."),
            .number("limits.requests", \.limits.requests, 1...1_000_000, "N", "Open requests in all."),
            .number("limits.queue", \.limits.queueLength, 1...1_000_000, "N", "Requests that wait in each queue."),
            .number("limits.pool_threads", \.limits.poolThreads, 1...256, "N", "Threads for large reads, and as many for streams."),
            .number("limits.write_threads", \.limits.writeThreads, 1...1_024, "N", "Threads for writes, which wait for the disk together."),
            .number("limits.frame", \.limits.frameBytes, 1...64, scale: mebibyte, "MiB", "The longest frame that is taken."),
            .number(
                "limits.upload_credit", \.limits.uploadCreditBytes, 1...1_024, scale: mebibyte, "MiB", "What a client may upload ahead."),
            .number("limits.outbox", \.limits.outboxBytes, 1...1_024, scale: mebibyte, "MiB", "Answers that wait for a slow client."),
            .number(
                "limits.inline_entities", \.limits.inlineEntities, 0...10_000, "N", "Entities of an online read that is answered at once."),
            .number("limits.stream_frame", \.limits.streamFrameBytes, 1...16, scale: mebibyte, "MiB", "Frames of a stream, about."),
            .number(
                "limits.join_memory", \.limits.joinMemoryBytes, 1...mebibyte, scale: mebibyte, "MiB", "Memory of a join that does not say."),
            .number(
                "limits.stream_memory", \.limits.streamMemoryBytes, 1...mebibyte, scale: mebibyte, "MiB", "Memory of all joins together."),
            .number(
                "limits.spill", \.limits.spillBytes, 0...(1 << 30), scale: mebibyte, "MiB",
                "Temporary files of all joins together; 0: no join makes any."),
            .duration("limits.idle_connection", \.limits.idleConnectionTime, "A connection without requests is closed after this."),
            .duration("limits.idle", \.limits.idleTime, "A stream or a frame that stands still is ended after this."),
            .duration("limits.opening", \.limits.openingTime, "TLS and authentication take at most this."),
            .number(
                "limits.login_failures", \.limits.loginFailures, 1...1_000_000, "N",
                "Wrong passwords of a user from an address within the window."),
            .duration("limits.login_window", \.limits.loginWindow, "The time in which that many wrong passwords are forgotten."),
            .duration("limits.default_timeout", \.limits.defaultTimeout, "The deadline of a request that states none."),
            .duration("limits.default_long_timeout", \.limits.defaultLongTimeout, "The same for streams, uploads and upkeep."),
            .duration("limits.drain", \.limits.drainTime, "How long open requests may go on after SIGTERM."),
        ]
    }

    private static func address(_ key: String, _ path: WritableKeyPath<ServerConfiguration, ListenAddress>, _ help: String) -> ServerSetting
    {
        ServerSetting(key: key, valueName: "HOST:PORT", help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            configuration[keyPath: path] = try ListenAddress(parsing: text)
        } show: {
            "\($0[keyPath: path])"
        }
    }

    /// The settings with their defaults, for help, in lines of at most `width` characters.
    public static func helpText(width: Int = 78) -> String {
        let defaults = ServerConfiguration()
        return all.map { setting in
            let value = setting.isSwitch ? "" : " \(setting.valueName)"
            let standard = setting.show(defaults)
            var lines = ["  \(setting.flag)\(value)", "     "]
            for word in (setting.help + (standard.isEmpty ? "" : " (default: \(standard))")).split(separator: " ") {
                if lines[lines.count - 1].count + 1 + word.count > width { lines.append("     ") }
                lines[lines.count - 1] += " \(word)"
            }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
