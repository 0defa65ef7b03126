/** Follows one turn and prints what it hears, for the judge to compare. */

import dev.parlor.client.Saved
import dev.parlor.client.Service
import dev.parlor.client.Turn
import kotlin.concurrent.thread

/** usage: the address, the user, the question, after how many events to close (0: never), then the tokens in their order */
fun main(arguments: Array<String>) {
    val (url, user, question, closeAfter) = arguments
    val tokens = ArrayDeque(arguments.drop(4))
    val service = Service(url, user, if (tokens.isEmpty()) null else { _ -> tokens.removeFirst() })
    val saved = Saved(question)
    var heard = 0
    Turn(service, saved, tries = 300, longestPauseMs = 20, longestSilenceMs = 1000).use { turn ->
        for (event in turn.events()) {
            println("${event.id}\t${event.name}\t${event.runId}\t${event.data}")
            heard += 1
            if (heard.toString() == closeAfter) thread { turn.close() }
        }
    }
    println("${saved.lastEventId}\tsaved\t${saved.runId}\t\"${saved.conversationId}\"")
}
