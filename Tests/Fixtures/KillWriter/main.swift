import Foundation
import StoreFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine

// Usage: KillWriter write DIR SEED ROUND   writes until it is killed
//        KillWriter fill DIR SEED BYTES    writes until the disk is full, or a file would pass BYTES where these are not 0
//        KillWriter cram DIR SEED          the same, with the disk filled to the last byte by something else after some batches
//        KillWriter limit DIR SEED BYTES   writes, and is killed by the system where a file would pass BYTES
//        KillWriter open DIR               opens the store and says how that went
// Says on standard output, a line each: `open`, `ack BATCH MICROSECONDS`, `error CODE HINT`; `fill` at its end `whole BATCHES`, what it
// can still read then.

/// One line, in one call, so that a kill leaves it whole or away.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func report(_ error: WhenceError) { say("error \(error.code) \(error.hint)") }

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { exit(64) }
let directory = arguments[2]
let seed = arguments.count > 3 ? UInt64(arguments[3]) ?? 0 : 0
let number = arguments.count > 4 ? Int(arguments[4]) ?? 0 : 0
// The thread that started this process may have blocked signals, and that is inherited.
var signals = sigset_t()
unsafe sigemptyset(&signals)
unsafe sigprocmask(SIG_SETMASK, &signals, nil)
// Nothing is left behind when the test itself has gone.
alarm(120)

do throws(WhenceError) {
    switch arguments[1] {
    case "write": try Writing(try opened(), KillWorkload(seed: seed), round: number).run()
    case "limit":
        signal(SIGXFSZ, SIG_DFL)
        limitFiles(number)
        try fill(try opened(), KillWorkload(seed: seed))
    case "cram": try fill(try opened(), KillWorkload(seed: seed), cramAfter: 5)
    case "fill":
        if number > 0 {
            signal(SIGXFSZ, SIG_IGN)
            limitFiles(number)
        }
        try fill(try opened(), KillWorkload(seed: seed))
    default: _ = try opened()
    }
} catch {
    report(error)
    exit(1)
}

func opened() throws(WhenceError) -> Store {
    let store = try Store(at: directory, options: KillWorkload.options())
    if arguments[1] != "open", store.catalog.views.isEmpty { try store.define(KillWorkload.yaml) }
    say("open")
    return store
}

/// From now on no file of this process grows beyond `byteCount`.
func limitFiles(_ byteCount: Int) {
    var limit = rlimit(rlim_cur: rlim_t(byteCount), rlim_max: rlim_t(byteCount))
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
}

/// Fills the file system of the store with one file beside it.
func cram() {
    let file = unsafe open(directory + "/../ballast", O_CREAT | O_WRONLY, 0o600)
    for size in [1 << 20, 4096, 1] {
        let bytes = [UInt8](repeating: 0, count: size)
        while unsafe write(file, bytes, size) > 0 {}
    }
    close(file)
}

func fill(_ store: Store, _ workload: KillWorkload, cramAfter: Int = .max) throws(WhenceError) {
    var failure: WhenceError?
    var number = 0
    // The write that fails is told, and so is the next one.
    while number < 20_000 {
        let id = BatchID(round: 0, thread: 1, number: number)
        if number == cramAfter { cram() }
        number += 1
        do throws(WhenceError) {
            let commit = try workload.write(id, to: store)
            say("ack \(id.code) \(commit.time.microseconds)")
        } catch {
            report(error)
            if failure != nil { break }
            failure = error
        }
    }
    do {
        say("whole \(try StoredBatches(store, workload).commits.count)")
    } catch {
        say("torn \(error)")
    }
}
