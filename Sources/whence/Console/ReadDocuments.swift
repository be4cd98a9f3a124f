import Foundation
import WhenceCore

/// What a document is read into, to be shown to a person. The same documents are made by an embedded store and by a server.
enum ReadDocuments {
    static func decode<T: Decodable>(_ type: T.Type, _ text: String) throws(WhenceError) -> T {
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(type, from: Data(text.utf8))
        } catch {
            throw WhenceError(
                .protocolViolation, "a document cannot be read: \(error)", hint: "is the server of a later version? --json shows it")
        }
    }
}

struct AppliedDocument: Decodable {
    var catalogVersion: Int
}

struct CompactedDocument: Decodable {
    var view: String
    var bytesBefore: Int
    var bytesAfter: Int
    var seconds: Double
}

struct RetainedDocument: Decodable {
    var view: String
    var horizon: String
    var versionsSeen: Int
    var versionsRemoved: Int
    var bytesRemoved: Int
}

struct ErasedDocument: Decodable {
    struct View: Decodable {
        var view: String
        var versionsRemoved: Int
    }

    var views: [View]
}

struct StatisticsDocument: Decodable {
    struct View: Decodable {
        var name: String
        var versionsEstimated: Int
        var files: Int
        var fileBytes: Int
        var memtableBytes: Int
        var pendingCompactionBytes: Int
        var filesByLevel: [Int]
        var horizon: String?
    }

    var path: String
    var formatVersion: Int
    var catalogVersion: Int
    var lastCommit: String?
    var blockCacheUsedBytes: Int
    var blockCacheBytes: Int
    var isWriteStopped: Bool
    var backgroundErrors: Int
    var views: [View]
}
