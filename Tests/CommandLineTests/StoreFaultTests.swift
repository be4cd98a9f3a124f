import Foundation
import StoreFixtures
import Testing

/// What is wrong with the store itself, or with the place where it should be.
@Suite("Store faults")
struct StoreFaultTests {
    @Test("a store that is open already")
    func openTwice() throws {
        let work = try Airports.workspace()
        let holder = work.process(["ingest", "planes", "-", "--data", "store"])
        let input = Pipe()
        holder.standardInput = input
        holder.standardOutput = FileHandle.nullDevice
        holder.standardError = FileHandle.nullDevice
        try holder.run()
        #expect(try holdsLock(holder, within: 20))
        let second = try work.onStore("get", "departure", "--entity", "origin=JFK,tail=1", "--json")
        #expect(second.code == 1)
        #expect(second.error["name"] as? String == "storeLocked")
        #expect(second.error["place"] as? String == "store")
        #expect(second.error["retryable"] as? Bool == true)
        #expect((second.error["hint"] as? String ?? "").contains("close the other one"))
        // The first is none the worse for it.
        try input.fileHandleForWriting.write(contentsOf: Data(BadInputTests.good.utf8))
        try input.fileHandleForWriting.close()
        holder.waitUntilExit()
        #expect(holder.terminationStatus == 0)
        #expect(try work.history("planes", "tail=1").count == 1)
    }

    /// Waits until the process has the store's lock file open.
    private func holdsLock(_ process: Process, within seconds: Double) throws -> Bool {
        let descriptors = "/proc/\(process.processIdentifier)/fd"
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: descriptors)) ?? []
            where (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\(name)"))?.hasSuffix("db/LOCK") == true {
                return true
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
        return false
    }

    @Test("a place where no directory can be made")
    func underAFile() throws {
        let work = try Workspace()
        try work.file("airports.yaml", Airports.yaml)
        try work.file("file", "")
        let answer = try work.whence("apply", "airports.yaml", "--data", "file/store", "--json")
        #expect(answer.code == 1)
        #expect(answer.error["place"] as? String == "file/store")
        #expect((answer.error["hint"] as? String)?.isEmpty == false)
        let other = try work.whence("apply", "airports.yaml", "--data", ".", "--json")
        #expect(other.code == 1, "a directory with other things in it is no place for a store")
        #expect(other.error["name"] as? String == "unknownFormat")
    }

    @Test("a read-only directory", .enabled(if: getuid() != 0, "the superuser may write everywhere"))
    func readOnlyDirectory() throws {
        let work = try Workspace()
        try work.file("airports.yaml", Airports.yaml)
        try FileManager.default.createDirectory(atPath: work.path("sealed"), withIntermediateDirectories: false)
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: work.path("sealed"))
        let answer = try work.whence("apply", "airports.yaml", "--data", "sealed/store", "--json")
        #expect(answer.code == 1)
        #expect(answer.error["name"] as? String == "permissionDenied")
        #expect((answer.error["hint"] as? String ?? "").contains("mode"))
    }

    /// A store of planes on a small file system of its own, and the arguments that name it.
    private func mountedStore(_ work: Workspace) throws -> (disk: MountedDirectory, place: [String]) {
        try work.file("airports.yaml", Airports.yaml)
        try work.file("planes.csv", BadInputTests.good)
        let disk = try MountedDirectory(megabytes: 20)
        let place = ["--data", disk.path + "/store", "--json"]
        #expect(try work.run(["apply", "airports.yaml"] + place).code == 0)
        #expect(try work.run(["ingest", "planes", "planes.csv"] + place).code == 0)
        return (disk, place)
    }

    @Test(
        "a directory on a file system that is mounted read-only: verbs that read answer; a load is refused",
        .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func readOnlyFileSystem() throws {
        let work = try Workspace()
        let (disk, place) = try mountedStore(work)
        try disk.remount(readOnly: true)
        for arguments in [
            ["get", "--features", "planes.seats", "--entity", "tail=1"], ["history", "planes", "--entity", "tail=1"],
            ["admin", "stats"],
        ] {
            let answer = try work.run(arguments + place)
            #expect(answer.code == 0 && !answer.out.isEmpty, "\(arguments): \(answer.err)")
        }
        let other = ["--data", disk.path + "/another", "--json"]
        for arguments in [["ingest", "planes", "planes.csv"] + place, ["admin", "compact"] + place, ["apply", "airports.yaml"] + other] {
            let refused = try work.run(arguments)
            #expect(refused.code == 1 && refused.error["name"] as? String == "permissionDenied", "\(arguments): \(refused.err)")
            #expect((refused.error["hint"] as? String ?? "").contains("read-only"), "\(refused.err)")
        }
    }

    @Test(
        "a full disk: verbs that read answer, with a warning; a load is refused",
        .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"), arguments: [false, true])
    func fullDisk(byTheStore: Bool) throws {
        let work = try Workspace()
        let (disk, place) = try mountedStore(work)
        if byTheStore {
            let rows = (2...30).map {
                #"{"tail":\#($0),"event_time":"2013-01-01T00:00:00Z","maker":"\#(String(repeating: "x", count: 1_000_000))"}"#
            }
            // Of standard input nobody knows how long it is.
            let arguments = ["ingest", "planes", "-", "--format", "ndjson", "--batch-rows", "4"]
            let load = try work.run(arguments + place, input: rows.joined(separator: "\n"))
            #expect(load.code == 1 && load.error["name"] as? String == "diskFull", "\(load.err)")
        }
        let ballast = disk.path + "/ballast"
        try Data().write(to: URL(filePath: ballast))
        let filler = try FileHandle(forWritingTo: URL(filePath: ballast))
        for size in [1 << 20, 1] { while (try? filler.write(contentsOf: Data(count: size))) != nil {} }
        try filler.close()
        try work.file("spine.csv", "tail,event_time\n1,2014-01-01T00:00:00Z\n")
        for arguments in [
            ["get", "--features", "planes.seats", "--entity", "tail=1"], ["history", "planes", "--entity", "tail=1"],
            ["scan", "planes", "--features", "seats", "--out", "scan.csv"], ["catalog", "list"], ["catalog", "show", "view/planes"],
            ["plan", "airports.yaml"], ["admin", "stats"],
            ["join", "--features", "planes.seats", "--spine", "spine.csv", "--out", "join.csv"],
        ] {
            let answer = try work.run(arguments + place)
            #expect(answer.code == 0, "\(arguments): \(answer.err)")
            #expect(!answer.out.isEmpty)
            #expect(answer.err.contains("warning") && answer.err.contains("free some space before you write"), "\(answer.err)")
            #expect(!answer.err.contains("acknowledged"), "nothing was written: \(answer.err)")
        }
        #expect(try work.text("join.csv") == "tail,event_time,planes.seats\n1,2014-01-01T00:00:00Z,150\n")
        let refused = try work.run(["ingest", "planes", "planes.csv"] + place)
        #expect(refused.code == 1 && refused.error["name"] as? String == "diskFull", "\(refused.err)")
        try FileManager.default.removeItem(atPath: ballast)
        let again = try work.run(["ingest", "planes", "planes.csv"] + place)
        #expect(again.code == 0, "\(again.err)")
    }

    @Test(
        "a load of several batches for which the disk has no room: refused before the first one, and done once there is room",
        .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func noRoom() throws {
        let work = try Workspace()
        let (disk, place) = try mountedStore(work)
        let maker = String(repeating: "x", count: 400_000)
        let rows = (2...13).map { #"{"tail":\#($0),"event_time":"2013-01-01T00:00:00Z","maker":"\#(maker)"}"# }
        try work.file("long.ndjson", rows.joined(separator: "\n"))
        let load = ["ingest", "planes", "long.ndjson", "--batch-rows", "4"] + place
        let ballast = disk.path + "/ballast"
        // What is left is room for the first batch, and not for all three.
        try Data(count: 12 << 20).write(to: URL(filePath: ballast))
        let refused = try work.run(load)
        #expect(refused.code == 1 && refused.error["name"] as? String == "diskFull", "\(refused.out)\(refused.err)")
        let hint = refused.error["hint"] as? String ?? ""
        #expect(hint.contains("free some space") && hint.contains("nothing was written"), "\(refused.err)")
        let message = refused.error["message"] as? String ?? ""
        #expect(message.contains("the load may need ") && message.contains(", and the disk has "), "\(refused.err)")
        let before = try work.run(["history", "planes", "--entity", "tail=2"] + place)
        #expect(before.code == 0 && before.lines.isEmpty, "\(before.out)\(before.err)")
        try FileManager.default.removeItem(atPath: ballast)
        let done = try work.run(load)
        #expect(done.code == 0 && done.lines.first?["commits"] as? Int == 3, "\(done.err)")
        for tail in [2, 13] { #expect(try work.run(["history", "planes", "--entity", "tail=\(tail)"] + place).lines.count == 1) }
    }

    @Test("a flipped bit within a file: the store opens, what meets the block is refused with view and file, the rest is served")
    func flipped() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.file("planes.csv", "tail,event_time,maker\n1,2013-01-01T00:00:00Z,Boeing of Renton\n")
        #expect(try work.onStore("ingest", "weather", "weather.csv", "--backfill", "--null", "NA").code == 0)
        #expect(try work.onStore("ingest", "planes", "planes.csv", "--backfill").code == 0)
        // The file that holds the planes, by what stands in it.
        var damaged: String?
        for name in try FileManager.default.contentsOfDirectory(atPath: work.path("store/db")).filter({ $0.hasSuffix(".sst") }) {
            let path = work.directory.appending(path: "store/db/\(name)")
            var bytes = try Data(contentsOf: path)
            guard let place = bytes.range(of: Data("Renton".utf8))?.lowerBound else { continue }
            bytes[place] ^= 0x10
            try bytes.write(to: path)
            damaged = name
        }
        let file = try #require(damaged)
        for arguments in [
            ["history", "planes", "--entity", "tail=1"], ["scan", "planes", "--out", "planes.ndjson"],
            ["join", "--features", "planes.maker", "--spine", "spine.csv", "--out", "out.csv"],
            ["get", "--features", "planes.maker", "--entity", "tail=1"],
        ] {
            try work.file("spine.csv", "tail,event_time\n1,2014-01-01T00:00:00Z\n")
            let answer = try work.run(arguments + ["--data", "store", "--json"])
            #expect(answer.code == 1 && answer.error["name"] as? String == "corruption", "\(arguments): \(answer.out)\(answer.err)")
            #expect((answer.error["place"] as? String ?? "").contains("planes"), "\(answer.err)")
            #expect((answer.error["message"] as? String ?? "").contains(file), "\(answer.err)")
            #expect((answer.error["hint"] as? String ?? "").contains("backup"), "\(answer.err)")
        }
        #expect(!work.exists("out.csv") && !work.exists("planes.ndjson"))
        #expect(try work.history("weather", "airport=JFK").count == 2)
    }

    @Test("a damaged file: it is named, and the other views are still served")
    func damaged() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.file("planes.csv", BadInputTests.good)
        try work.onStore("ingest", "planes", "planes.csv", "--backfill")
        let files = { try FileManager.default.contentsOfDirectory(atPath: work.path("store/db")).filter { $0.hasSuffix(".sst") } }
        let before = Set(try files())
        try work.onStore("ingest", "weather", "weather.csv", "--backfill", "--null", "NA")
        // The file that holds the weather, by what stands in it.
        var damaged: String?
        for name in try files() where !before.contains(name) {
            let bytes = try Data(contentsOf: work.directory.appending(path: "store/db/\(name)"))
            if bytes.range(of: Data("JFK".utf8)) != nil { damaged = name }
        }
        let file = try #require(damaged)
        let handle = try FileHandle(forUpdating: work.directory.appending(path: "store/db/\(file)"))
        try handle.truncate(atOffset: 100)
        try handle.close()
        let planes = try work.onStore(
            "get", "--features", "planes.seats", "--entity", "tail=1", "--as-of", "2013-02-01T00:00:00Z", "--json")
        #expect(planes.code == 0, "\(planes.err)")
        #expect((planes.lines.first?["features"] as? NSDictionary)?["planes.seats"] as? Int == 150)
        #expect(planes.err.contains("warning") && planes.err.contains(file))
        let weather = try work.onStore("history", "weather", "--entity", "airport=JFK", "--json")
        #expect(weather.code == 1)
        #expect(weather.error["name"] as? String == "corruption")
        #expect((weather.error["place"] as? String ?? "").contains("weather"))
        let write = try work.onStore("ingest", "planes", "planes.csv", "--json")
        #expect(write.code == 1 && write.error["name"] as? String == "corruption")
    }
}
