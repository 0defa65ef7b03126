//! The lines of a child, within bounds: one that is too long is replaced by an error answer to its own request.
//!
//! The MCP client drops a line over its limit without a word, and the call that it answers would wait for its timeout.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line that a child may send, in bytes.
pub(super) const LINE_LIMIT: usize = 1024 * 1024;

/// How much of a line that is too long is kept, to find out which request it answers.
const HEAD: usize = 512;

/// Copies lines until the child closes its output or nobody reads any more.
pub(super) async fn relay(mut from: impl AsyncBufRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut line = Line::default();
    loop {
        let Ok(chunk) = from.fill_buf().await else { return };
        if chunk.is_empty() {
            return;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        line.add(chunk.get(..taken).unwrap_or_default());
        from.consume(taken);
        if end.is_some() {
            let whole = std::mem::take(&mut line).finish();
            if to.write_all(&whole).await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
    }
}

/// A line that is being read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Line {
    fn add(&mut self, more: &[u8]) {
        if self.is_too_long {
            return;
        }
        self.bytes.extend_from_slice(more);
        if self.bytes.len() > LINE_LIMIT {
            self.is_too_long = true;
            self.bytes.truncate(HEAD);
            self.bytes.shrink_to_fit();
        }
    }

    fn finish(self) -> Vec<u8> {
        if self.is_too_long { refusal(&self.bytes).unwrap_or_default() } else { self.bytes }
    }
}

/// Writes the error answer that stands for a line of which this is the head, if it names its request by a number.
fn refusal(head: &[u8]) -> Option<Vec<u8>> {
    let head = String::from_utf8_lossy(head);
    // An id behind the beginning of the result would be one of the result's own.
    let envelope = head.split_once("\"result\"").map_or(head.as_ref(), |(envelope, _)| envelope);
    let (_, after) = envelope.split_once("\"id\":")?;
    let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let id: u64 = digits.parse().ok()?;
    let message = "the answer was larger than 1 MiB and was dropped; ask for less";
    let answer =
        serde_json::json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32_000, "message": message}});
    Some(format!("{answer}\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn relayed(input: &[u8]) -> String {
        let mut output = Vec::new();
        relay(input, &mut output).await;
        String::from_utf8(output).unwrap()
    }

    #[tokio::test]
    async fn lines_pass_as_they_are() {
        assert_eq!(relayed(b"{\"id\":1}\n\nnot json\n").await, "{\"id\":1}\n\nnot json\n");
        assert_eq!(relayed(b"no end").await, "");
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_becomes_an_error_answer_and_the_next_one_passes() {
        let long = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\": 7,\"result\":\"{}\"}}\nnext\n",
            "x".repeat(10 * LINE_LIMIT)
        );
        let output = relayed(long.as_bytes()).await;
        let (answer, rest) = output.split_once('\n').unwrap();
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!((answer["id"].as_u64(), answer["error"]["code"].as_i64()), (Some(7), Some(-32_000)));
        assert_eq!(rest, "next\n");
    }

    #[tokio::test]
    async fn an_endless_line_of_nothing_we_know_is_dropped() {
        let long = format!("{}\nnext\n", "x".repeat(3 * LINE_LIMIT));
        assert_eq!(relayed(long.as_bytes()).await, "next\n");
    }
}
