//! Cooks bodies that are nearly right from a few bytes. Bytes changed at random are hardly ever JSON again, and so never
//! get to what goes wrong between one chunk and the next.

/// What an event may hold; each `@` stands for a value.
const EVENTS: [&str; 16] = [
    r#"{"choices":[{"delta":{"content":@}}]}"#,
    r#"{"choices":[{"delta":{"content":@,"refusal":@},"finish_reason":@}]}"#,
    r#"{"choices":[{"delta":{"reasoning":@,"reasoning_content":@}}]}"#,
    r#"{"choices":[{"delta":{"reasoning_details":[{"type":"a","index":@,"text":@,"data":@}]}}]}"#,
    r#"{"choices":[{"delta":{"reasoning_details":@}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":@,"id":@,"function":{"name":@,"arguments":@}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":@,"function":{"name":@,"arguments":@}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":@},"extra_content":@}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":@}}]}"#,
    r#"{"choices":[{"delta":@,"index":@}]}"#,
    r#"{"choices":[{"finish_reason":@,"native_finish_reason":@}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":@,"completion_tokens":@,"total_tokens":@,"cost":@}}"#,
    r#"{"choices":@,"usage":@,"x_groq":{"usage":@}}"#,
    r#"{"choices":@,"error":@,"object":@}"#,
    "@",
    "[DONE]",
];

/// What stands in place of an `@`.
const VALUES: [&str; 32] = [
    "null",
    "true",
    "0",
    "1",
    "7",
    "-1",
    "1.5",
    "1e300",
    "18446744073709551615",
    r#""""#,
    r#""a""#,
    r#""b""#,
    r#""{\"t\":""#,
    r#""1}""#,
    r#""{}""#,
    r#""{}{}""#,
    r#""\u0000""#,
    r#""😀""#,
    r#""\ud83d""#,
    "[]",
    "{}",
    r#"["a"]"#,
    r#"{"a":"b"}"#,
    r#"[{"text":"a"}]"#,
    r#"{"message":"a","code":429}"#,
    r#""stop""#,
    r#""length""#,
    r#""content_filter""#,
    r#""error""#,
    r#""MALFORMED_FUNCTION_CALL""#,
    r#""rate_limit""#,
    r#""tool_calls""#,
];

/// How an event begins and ends.
const FRAMES: [(&str, &str); 8] = [
    ("data: ", "\n\n"),
    ("data: ", "\n\n"),
    ("data:", "\r\n\r\n"),
    ("data: ", "\r\r"),
    (": a\nid: 1\ndata: ", "\n\n"),
    ("event: error\ndata: ", "\n\n"),
    ("\u{feff}data: ", "\n"),
    ("data: ", ""),
];

/// Cooks a body: a byte for each frame, each event and each value.
pub fn body(recipe: &[u8]) -> Vec<u8> {
    let mut bytes = recipe.iter().map(|byte| usize::from(*byte));
    let mut body = String::new();
    while let (Some(frame), Some(event)) = (bytes.next(), bytes.next()) {
        let (beginning, end) = FRAMES[frame % FRAMES.len()];
        body.push_str(beginning);
        for (place, piece) in EVENTS[event % EVENTS.len()].split('@').enumerate() {
            if place > 0 {
                body.push_str(VALUES[bytes.next().unwrap_or(0) % VALUES.len()]);
            }
            body.push_str(piece);
        }
        body.push_str(end);
    }
    body.into_bytes()
}
