/**
 * A turn with Parlor, from the message to its end, whatever the network does in between.
 *
 * It needs only the standard library and runs on Android and any JVM. It blocks: call it from `Dispatchers.IO` or a
 * thread of its own. ../clients.md tells the rules that it follows.
 */
package dev.parlor.client

import java.io.BufferedReader
import java.io.EOFException
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URI
import java.net.URLEncoder
import java.time.Instant
import java.time.ZonedDateTime
import java.time.format.DateTimeFormatter
import java.util.UUID
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.math.min
import kotlin.random.Random

/** Where the service is, and for whom. [token] is asked before each try; `isRefused`: its last one was no good. */
class Service(val url: String, val user: String, val token: ((isRefused: Boolean) -> String)? = null)

/** What must outlive the app until the turn has ended. */
data class Saved(
    /** The body as JSON, sent again as it is: `{"message":"…","conversation_id":"…"}`. */
    val question: String,
    /** The Idempotency-Key: a new one for each question, the same one for each try. */
    val key: String = UUID.randomUUID().toString(),
    /** Known as soon as the service has the message. From then on nothing is posted any more. */
    var runId: String? = null,
    var conversationId: String? = null,
    var lastEventId: Long = 0,
)

/** One thing that happened. [data] is JSON; leave out what has a [name] that you do not know. */
data class Event(val name: String, val id: Long, val runId: String?, val data: String)

/** The service said no, and would say so again. [problem] is its RFC 9457 body. */
class Refused(val status: Int, val problem: String) : Exception("the service answered $status: $problem") {
    val activeRunId = Regex("\"active_run_id\":\"([0-9a-f-]{36})\"").find(problem)?.groupValues?.get(1)
}

/** A turn under way. [close] may be called from any thread and ends the following; the run itself goes on. */
class Turn(
    private val service: Service,
    private val saved: Saved,
    private val tries: Int = 20,
    private val longestPauseMs: Long = 30_000,
    private val longestSilenceMs: Int = 45_000,
) : AutoCloseable {
    private val closed = CountDownLatch(1)
    private var failures = 0
    private var retryMs = 1000L
    private var notBeforeMs = 0L
    private var isTokenRefused = false

    @Volatile
    private var connection: HttpURLConnection? = null

    override fun close() {
        closed.countDown()
        connection?.disconnect()
    }

    /**
     * Sends the question if the service does not have it yet, then tells what happens, each event once, up to the end.
     * [saved] is brought up to date before each event. While another run has the conversation, that run is told first.
     */
    fun events(): Sequence<Event> = sequence {
        var told = saved // The turn itself, or the run that it has to wait for.
        while (closed.count > 0) {
            try {
                val answer = open(told)
                if (answer.responseCode == 204 && told === saved) return@sequence // The end was heard before.
                var isOver = answer.responseCode == 204
                val frames = if (isOver) emptySequence() else frames(answer.inputStream.bufferedReader())
                for ((name, text, data) in frames) {
                    val id = text.toLongOrNull() ?: 0
                    if (id <= told.lastEventId) continue // Ids are compared, not counted: there may be gaps.
                    told.lastEventId = id
                    failures = 0
                    yield(Event(name, id, told.runId, data))
                    if (name in ENDS && told === saved) return@sequence
                    if (name in ENDS) isOver = true
                }
                if (isOver) told = saved else lost(EOFException("the answer ended before its run"))
            } catch (refused: Refused) {
                val active = refused.activeRunId
                if (active == null || told.runId != null) throw refused
                told = saved.copy(runId = active, lastEventId = 0)
            } catch (error: IOException) {
                lost(error)
            }
            pause()
        }
    }

    /** Sends the question, or asks for the events behind the last one; twice if the token was too old. */
    private fun open(told: Saved): HttpURLConnection {
        val answer = request(told)
        val status = answer.responseCode
        if (status in 200..299) {
            isTokenRefused = false
            told.runId = answer.getHeaderField("X-Run-Id") ?: told.runId
            told.conversationId = answer.getHeaderField("X-Conversation-Id") ?: told.conversationId
            return answer
        }
        val problem = answer.errorStream?.bufferedReader()?.use(BufferedReader::readText).orEmpty()
        if (status == 401 && service.token != null && !isTokenRefused) {
            isTokenRefused = true
            return open(told)
        }
        if (status != 429 && status < 500) throw Refused(status, problem)
        notBeforeMs = retryAfterMs(answer.getHeaderField("Retry-After"))
        throw IOException("the service answered $status")
    }

    private fun request(told: Saved): HttpURLConnection {
        val user = URLEncoder.encode(service.user, "UTF-8").replace("+", "%20")
        val path = told.runId?.let { "runs/$it/events" } ?: "chat"
        val request = URI("${service.url}/api/$user/$path").toURL().openConnection() as HttpURLConnection
        connection = request
        request.connectTimeout = longestSilenceMs
        request.readTimeout = longestSilenceMs // For each read: the service breaks every silence after 15 s.
        request.setRequestProperty("Accept", "text/event-stream")
        request.setRequestProperty("Accept-Encoding", "identity") // Android would ask for gzip, and wait for it.
        service.token?.let { request.setRequestProperty("Authorization", "Bearer ${it(isTokenRefused)}") }
        if (told.runId != null) {
            request.setRequestProperty("Last-Event-ID", told.lastEventId.toString())
        } else {
            request.setRequestProperty("Content-Type", "application/json")
            request.setRequestProperty("Idempotency-Key", told.key)
            request.doOutput = true
            request.outputStream.use { it.write(told.question.toByteArray()) }
        }
        return request
    }

    /** Splits an answer into its events: name, id, data. One that breaks off is left out. */
    private fun frames(lines: BufferedReader): Sequence<Triple<String, String, String>> = sequence {
        var (name, id) = listOf("", "")
        val data = mutableListOf<String>()
        while (true) {
            val line = lines.readLine() ?: return@sequence
            val value = line.substringAfter(':', "").removePrefix(" ")
            when (line.substringBefore(':')) {
                "event" -> name = value
                "id" -> id = value
                "data" -> data += value
                "retry" -> retryMs = value.toLongOrNull() ?: retryMs
            }
            if (line.isNotEmpty()) continue
            if (data.isNotEmpty()) yield(Triple(name, id, data.joinToString("\n")))
            name = ""
            data.clear()
        }
    }

    /** Notes that nothing came of a try; throws if there were too many. */
    private fun lost(error: IOException) {
        connection?.disconnect()
        if (failures >= tries) throw error
    }

    /** Waits before the next try: longer from failure to failure, and not as long as everybody else. */
    private fun pause() {
        val most = min(longestPauseMs, retryMs shl min(failures, 20))
        failures += 1
        closed.await(notBeforeMs + Random.nextLong(most + 1), TimeUnit.MILLISECONDS)
        notBeforeMs = 0
    }

    /** Reads Retry-After: seconds, or a date as some proxies send it. */
    private fun retryAfterMs(header: String?): Long {
        if (header == null) return 0
        header.toLongOrNull()?.let { return it * 1000 }
        val date = runCatching { ZonedDateTime.parse(header, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant() }
        return date.map { maxOf(0, it.toEpochMilli() - Instant.now().toEpochMilli()) }.getOrDefault(0)
    }

    private companion object {
        val ENDS = setOf("run.completed", "run.failed", "run.cancelled", "run.awaiting_approval")
    }
}
