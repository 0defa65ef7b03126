// A turn with Parlor, from the message to its end, whatever the network does in between.
//
// It needs only Foundation: iOS 15, macOS 12 or newer. ../clients.md tells the rules that it follows.

import Foundation

/// Where the service is, and for whom.
public struct Service: Sendable {
    /// Such as `https://parlor.example.org`, without a slash at its end.
    public var url: String
    public var user: String
    /// Is asked before each try; `isRefused` says that its last token was no good.
    public var token: (@Sendable (_ isRefused: Bool) async throws -> String)?

    public init(url: String, user: String, token: (@Sendable (_ isRefused: Bool) async throws -> String)? = nil) {
        self.url = url
        self.user = user
        self.token = token
    }
}

/// What must outlive the app until the turn has ended.
public struct Saved: Codable, Sendable {
    /// The body as JSON, sent again as it is: `{"message":"…","conversation_id":"…"}`.
    public let question: Data
    /// The Idempotency-Key: a new one for each question, the same one for each try.
    public let key: String
    /// Known as soon as the service has the message. From then on nothing is posted any more.
    public var runId: String?
    public var conversationId: String?
    public var lastEventId = 0

    public init(question: Data) {
        self.question = question
        key = UUID().uuidString
    }
}

/// One thing that happened. Leave out what has a name that you do not know.
public struct TurnEvent: Sendable {
    public let name: String
    public let id: Int
    public let runId: String?
    /// JSON, whose fields depend on the name.
    public let data: Data
    /// What to keep once this event is on the screen.
    public let saved: Saved
}

/// The service said no, and would say so again. `problem` is its RFC 9457 body.
public struct Refused: Error {
    public let status: Int
    public let problem: Data

    var activeRunId: String? {
        let fields = try? JSONSerialization.jsonObject(with: problem) as? [String: Any]
        return fields?["active_run_id"] as? String
    }
}

/// Sends the question if the service does not have it yet, then tells what happens, each event once, up to the end.
/// While another run has the conversation, that run is told first. To stop following, end the loop over the stream or
/// cancel its task; the run itself goes on.
public func turn(_ service: Service, _ saved: Saved, tries: Int = 20) -> AsyncThrowingStream<TurnEvent, Error> {
    AsyncThrowingStream { events in
        let following = Task {
            var line = Line(service: service, tries: tries)
            do {
                try await line.follow(saved) { events.yield($0) }
                events.finish()
            } catch {
                events.finish(throwing: error)
            }
        }
        events.onTermination = { _ in following.cancel() }
    }
}

private let ends: Set = ["run.completed", "run.failed", "run.cancelled", "run.awaiting_approval"]

/// The way to the service: tokens, silences, and how long to wait before the next try.
private struct Line {
    let service: Service
    let tries: Int
    let longestPause = 30.0
    let longestSilence = 45.0 // The service breaks every silence after 15 s.
    var failures = 0
    var retry = 1.0
    var notBefore = 0.0
    var isTokenRefused = false

    mutating func follow(_ saved: Saved, tell: (TurnEvent) -> Void) async throws {
        var own = saved
        while true {
            do {
                if try await listen(to: &own, tell: tell) { return }
                try lost(URLError(.networkConnectionLost)) // The answer ended before its run.
            } catch let refused as Refused {
                guard own.runId == nil, let active = refused.activeRunId else { throw refused }
                var other = own
                other.runId = active
                try await follow(other, tell: tell)
            } catch {
                try lost(error)
            }
            try await pause()
        }
    }

    /// Tells what one answer brings; true if that was all.
    private mutating func listen(to saved: inout Saved, tell: (TurnEvent) -> Void) async throws -> Bool {
        let (bytes, answer) = try await send(saved)
        if answer.statusCode == 204 { return true } // The end was heard before.
        saved.runId = answer.value(forHTTPHeaderField: "X-Run-Id") ?? saved.runId
        saved.conversationId = answer.value(forHTTPHeaderField: "X-Conversation-Id") ?? saved.conversationId
        var frames = Frames()
        for try await byte in bytes { // Not `bytes.lines`: it drops the empty lines that end an event.
            guard let frame = frames.push(byte) else { continue }
            retry = frames.retry ?? retry
            guard let id = Int(frame.id), id > saved.lastEventId else { continue } // There may be gaps.
            saved.lastEventId = id
            failures = 0
            tell(TurnEvent(name: frame.event, id: id, runId: saved.runId, data: Data(frame.data.utf8), saved: saved))
            if ends.contains(frame.event) { return true }
        }
        return false
    }

    /// Sends the question, or asks for the events behind the last one; twice if the token was too old.
    private mutating func send(_ saved: Saved) async throws -> (URLSession.AsyncBytes, HTTPURLResponse) {
        let (bytes, response) = try await URLSession.shared.bytes(for: try await request(saved))
        guard let answer = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        let status = answer.statusCode
        if (200..<300).contains(status) {
            isTokenRefused = false
            return (bytes, answer)
        }
        var problem = Data()
        for try await byte in bytes { problem.append(byte) }
        if status == 401, service.token != nil, !isTokenRefused {
            isTokenRefused = true
            return try await send(saved)
        }
        guard status == 429 || status >= 500 else { throw Refused(status: status, problem: problem) }
        notBefore = seconds(retryAfter: answer.value(forHTTPHeaderField: "Retry-After"))
        throw URLError(.badServerResponse)
    }

    private func request(_ saved: Saved) async throws -> URLRequest {
        let user = service.user.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? service.user
        let path = saved.runId.map { "runs/\($0)/events" } ?? "chat"
        guard let url = URL(string: "\(service.url)/api/\(user)/\(path)") else { throw URLError(.badURL) }
        var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: longestSilence)
        request.setValue("text/event-stream", forHTTPHeaderField: "Accept")
        if let token = service.token {
            let bearer = try await token(isTokenRefused)
            request.setValue("Bearer \(bearer)", forHTTPHeaderField: "Authorization")
        }
        if saved.runId != nil {
            request.setValue(String(saved.lastEventId), forHTTPHeaderField: "Last-Event-ID")
        } else {
            request.httpMethod = "POST"
            request.httpBody = saved.question
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
            request.setValue(saved.key, forHTTPHeaderField: "Idempotency-Key")
        }
        return request
    }

    /// Notes that nothing came of a try; throws if another one would be in vain.
    private func lost(_ error: Error) throws {
        try Task.checkCancellation()
        if failures >= tries { throw error }
    }

    /// Waits before the next try: longer from failure to failure, and not as long as everybody else.
    private mutating func pause() async throws {
        let most = min(longestPause, retry * pow(2, Double(failures)))
        let pause = notBefore + Double.random(in: 0...most)
        failures += 1
        notBefore = 0
        try await Task.sleep(nanoseconds: UInt64(pause * 1_000_000_000))
    }

    /// Reads Retry-After: seconds, or a date as some proxies send it.
    private func seconds(retryAfter header: String?) -> Double {
        guard let header else { return 0 }
        if let seconds = UInt32(header) { return Double(seconds) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return max(0, format.date(from: header)?.timeIntervalSinceNow ?? 0)
    }
}

/// Reads server-sent events byte by byte, so that a character that was cut in two does no harm.
private struct Frames {
    var retry: Double?
    private var line: [UInt8] = []
    private var isAfterReturn = false
    private var id = ""
    private var event = ""
    private var data: [String] = []

    /// Returns the event that this byte completes.
    mutating func push(_ byte: UInt8) -> (id: String, event: String, data: String)? {
        let isSecondOfTwo = isAfterReturn && byte == UInt8(ascii: "\n")
        isAfterReturn = byte == UInt8(ascii: "\r")
        if isSecondOfTwo { return nil }
        guard isAfterReturn || byte == UInt8(ascii: "\n") else {
            line.append(byte)
            return nil
        }
        defer { line = [] }
        if line.isEmpty { return complete() }
        take(String(decoding: line, as: UTF8.self))
        return nil
    }

    private mutating func take(_ line: String) {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var value = parts.count == 2 ? parts[1] : ""
        if value.first == " " { value.removeFirst() }
        switch parts[0] {
        case "data": data.append(String(value))
        case "event": event = String(value)
        case "id": id = String(value)
        case "retry": retry = UInt32(value).map { Double($0) / 1000 } ?? retry
        default: break // A comment has no name, and other names have no meaning.
        }
    }

    private mutating func complete() -> (id: String, event: String, data: String)? {
        defer { (event, data) = ("", []) }
        return data.isEmpty ? nil : (id, event, data.joined(separator: "\n"))
    }
}
