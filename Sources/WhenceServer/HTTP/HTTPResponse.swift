import NIOHTTP1

/// One answer of the side port.
struct HTTPResponse: Sendable {
    var status: HTTPResponseStatus
    var contentType = "text/plain; charset=utf-8"
    var body: String
    var headers: [(String, String)] = []
}
