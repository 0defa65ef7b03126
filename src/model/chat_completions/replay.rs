//! Replays the byte streams of real providers through the readers. The shapes come from public captures; each
//! body is cut at every size, because a network cuts where it likes.

use std::{fmt::Write, fs, path::Path};

use super::{decode::Decoder, reply::Progress};
use crate::{
    domain::{ModelError, ModelEvent},
    model::{Provider, providers::quirks},
};

/// Reads a body in pieces of `size` bytes.
fn read(provider: Provider, body: &[u8], size: usize) -> Vec<Result<ModelEvent, ModelError>> {
    let (mut decoder, mut said) = (Decoder::new(provider, quirks::of(provider, "").echo, 300), Vec::new());
    for piece in body.chunks(size) {
        match decoder.read(piece, &mut said) {
            Ok(Progress::Open) => {}
            Ok(Progress::Over) => break,
            Err(error) => return said.into_iter().map(Ok).chain([Err(error)]).collect(),
        }
    }
    let outcome = decoder.close(&mut said);
    said.into_iter().map(Ok).chain(outcome.err().map(Err)).collect()
}

/// Writes events down, one a line; ids that were made up are left out, for they differ from time to time.
fn written(events: &[Result<ModelEvent, ModelError>]) -> Vec<String> {
    events.iter().map(line).collect()
}

fn line(event: &Result<ModelEvent, ModelError>) -> String {
    match event {
        Ok(ModelEvent::Replaced { by, notice }) => format!("{} by {by:?}", notice.as_str()),
        Ok(ModelEvent::Alive) => "alive".into(),
        Ok(ModelEvent::Text(text)) => format!("text {text:?}"),
        Ok(ModelEvent::Reasoning(text)) => format!("reasoning {text:?}"),
        Ok(ModelEvent::Call(call)) => {
            let id = if call.provider_id.len() == 37 { "made-up" } else { &call.provider_id };
            let meta = call.provider_meta.as_ref().map(|meta| format!(" with {meta}")).unwrap_or_default();
            format!("call {id} {} {}{meta}", call.name, call.arguments)
        }
        Ok(ModelEvent::Meta(meta)) => format!("meta {meta}"),
        Ok(ModelEvent::Usage(usage)) => format!(
            "usage {}+{}={} cached {} reasoning {}{}",
            usage.input_tokens,
            usage.output_tokens,
            usage.total_tokens,
            usage.cached_input_tokens,
            usage.reasoning_tokens,
            if usage.estimated { " estimated" } else { "" }
        ),
        Ok(ModelEvent::Finished(finish)) => format!("finished {finish:?}"),
        Err(error) => format!("error {:?}: {}", error.kind, error.detail),
    }
}

/// Joins neighbouring pieces, which a reader of the snapshot does not care for.
fn joined(events: Vec<Result<ModelEvent, ModelError>>) -> Vec<Result<ModelEvent, ModelError>> {
    let mut joined: Vec<Result<ModelEvent, ModelError>> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(Ok(ModelEvent::Text(text))), Ok(ModelEvent::Text(more)))
            | (Some(Ok(ModelEvent::Reasoning(text))), Ok(ModelEvent::Reasoning(more))) => {
                text.push_str(&more);
            }
            (_, event) => joined.push(event),
        }
    }
    joined
}

/// Returns every recorded body with its provider and name, in a fixed order.
fn recordings() -> Vec<(Provider, String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
    let mut recordings = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let folder_name = folder.file_name().unwrap().to_str().unwrap();
        let provider = Provider::find(folder_name).unwrap_or(Provider::Custom);
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = format!("{folder_name}/{}", file.file_stem().unwrap().to_str().unwrap());
            recordings.push((provider, name, fs::read(&file).unwrap()));
        }
    }
    recordings.sort_by(|one, other| one.1.cmp(&other.1));
    recordings
}

#[test]
fn a_body_cut_at_any_size_gives_the_same_events() {
    for (provider, name, body) in recordings() {
        let whole = written(&read(provider, &body, body.len()));
        for size in 1..=64 {
            assert_eq!(written(&read(provider, &body, size)), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn the_replies_of_all_providers_are_understood() {
    let mut replies = String::new();
    for (provider, name, body) in recordings() {
        writeln!(replies, "{name}").unwrap();
        for line in written(&joined(read(provider, &body, body.len()))) {
            writeln!(replies, "  {line}").unwrap();
        }
    }
    insta::assert_snapshot!(replies, @r#"
    gemini/a_text
      text "Sure — I can help with your tasks."
      usage 107+179=286 cached 0 reasoning 148
      finished Stop
    gemini/b2_tool_call_split_indexless
      call function-call-1 add_task {"title":"buy milk"} with {"extra_content":{"google":{"thought_signature":"EjQKMgEMOdbHJChLX75QUCJjyYlmS0mE5w=="}},"provider":"gemini"}
      usage 107+179=286 cached 0 reasoning 148
      finished Stop
    gemini/b_one_tool_call
      call function-call-1 add_task {"title":"buy milk","priority":"high"} with {"extra_content":{"google":{"thought_signature":"EjQKMgEMOdbHJChLX75QUCJjyYlmS0mE5w=="}},"provider":"gemini"}
      usage 107+179=286 cached 0 reasoning 148
      finished Stop
    gemini/c_two_tool_calls
      call function-call-1 add_task {"title":"buy milk","priority":"high"} with {"extra_content":{"google":{"thought_signature":"EjQKMgEMOdbHJChLX75QUCJjyYlmS0mE5w=="}},"provider":"gemini"}
      call function-call-2 add_task {"title":"call the dentist"}
      usage 107+179=286 cached 0 reasoning 148
      finished Stop
    gemini/d2_midstream_error_object
      text "Sure — I"
      usage 100+4=104 cached 0 reasoning 0 estimated
      error Upstream: in the stream: {"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}
    gemini/d_midstream_error
      text "Sure — I"
      usage 100+4=104 cached 0 reasoning 0 estimated
      error Upstream: in the stream: {"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}
    gemini/e_truncated_no_done
      text "Sure — I can help"
      usage 100+7=107 cached 0 reasoning 0 estimated
      error StreamLost: the stream ended without a finish reason and without [DONE]
    gemini/f1_finish_length
      text "Sure — I can"
      usage 107+179=286 cached 0 reasoning 148
      finished Length
    gemini/f2_finish_content_filter
      usage 107+179=286 cached 0 reasoning 148
      error ContentFiltered: finish reason Some("content_filter: PROHIBITED_CONTENT"), natively None
    gemini/f2b_finish_SAFETY_uppercase
      text "Sure"
      usage 107+179=286 cached 0 reasoning 148
      error ContentFiltered: finish reason Some("SAFETY"), natively None
    gemini/f3_empty_stop
      usage 107+0=107 cached 0 reasoning 0
      finished Stop
    gemini/g2_malformed_args
      call function-call-1 add_task {"priority":"high","title":"buy milk"} with {"extra_content":{"google":{"thought_signature":"EjQKMgEMOdbHJChLX75QUCJjyYlmS0mE5w=="}},"provider":"gemini"}
      call made-up add_task {"title":"call the dentist"}
      usage 107+179=286 cached 0 reasoning 148
      finished Stop
    gemini/g_malformed_function_call
      usage 107+179=286 cached 0 reasoning 148
      error MalformedReply: finish reason Some("function_call_filter: MALFORMED_FUNCTION_CALL"), natively None
    groq/a3_reasoning_then_text
      reasoning "User wants a task."
      text "Sure."
      usage 253+20=273 cached 0 reasoning 0
      finished Stop
    groq/a_text
      text "Sure — I can help with your tasks."
      usage 253+20=273 cached 0 reasoning 0
      finished Stop
    groq/b_one_tool_call
      call call_785j add_task {"title":"buy milk","priority":"high"}
      usage 253+20=273 cached 0 reasoning 0
      finished Stop
    groq/c_two_tool_calls
      call call_785j add_task {"title":"buy milk","priority":"high"}
      call call_gjk5 add_task {"title":"call the dentist"}
      usage 253+20=273 cached 0 reasoning 0
      finished Stop
    groq/d_midstream_error
      error MalformedReply: in the stream: {"code":"tool_use_failed","failed_generation":"<function=add_task{\"title\": \"buy milk\"}</function>","message":"Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.","status_code":400,"type":"invalid_request_error"}
    groq/e_truncated_no_done
      text "Sure — I can help"
      usage 100+7=107 cached 0 reasoning 0 estimated
      error StreamLost: the stream ended without a finish reason and without [DONE]
    groq/f1_finish_length
      text "Sure — I can"
      usage 253+20=273 cached 0 reasoning 0
      finished Length
    groq/g_malformed_tool_args
      call call_785j add_task {"title":"buy milk","priority":
      usage 253+20=273 cached 0 reasoning 0
      finished Stop
    llamacpp/a2_text_after_tool
      text "I added \"buy milk\" to your tasks."
      usage 95+11=106 cached 69 reasoning 0
      finished Stop
    llamacpp/a_text
      text "I'm here to help with any creative writing project."
      usage 27+12=39 cached 0 reasoning 0
      finished Stop
    llamacpp/b_one_tool_call
      call 1JuWcjDtHSJnhdsf8mIlzMffzPiyjvC5 add_task {"title": "buy milk"}
      usage 258+32=290 cached 0 reasoning 0
      finished Stop
    openai/a_text
      text "Sure — I can help with your tasks."
      usage 212+19=231 cached 0 reasoning 0
      finished Stop
    openai/b_one_tool_call_split
      call call_oOWWo0ObgBAsp2bblvOQVnDu add_task {"title":"buy milk","priority":"high"}
      usage 212+19=231 cached 0 reasoning 0
      finished Stop
    openai/c_two_tool_calls
      call call_aaa add_task {"title":"buy milk","priority":"high"}
      call call_bbb add_task {"title":"call the dentist"}
      usage 212+19=231 cached 0 reasoning 0
      finished Stop
    openai/d_midstream_error
      text "Sure — I can"
      usage 100+5=105 cached 0 reasoning 0 estimated
      error Upstream: in the stream: {"code":null,"message":"The server had an error while processing your request. Sorry about that!","param":null,"type":"server_error"}
    openai/e_truncated_no_done
      text "Sure — I can help"
      usage 100+7=107 cached 0 reasoning 0 estimated
      error StreamLost: the stream ended without a finish reason and without [DONE]
    openai/f1_finish_length
      text "Sure — I can"
      usage 212+19=231 cached 0 reasoning 0
      finished Length
    openai/f2_finish_content_filter
      text "Sure —"
      usage 100+3=103 cached 0 reasoning 0 estimated
      error ContentFiltered: finish reason Some("content_filter"), natively None
    openai/f3_refusal
      text "I'm sorry, I can't help with that."
      usage 212+19=231 cached 0 reasoning 0
      finished Stop
    openai/g_malformed_tool_args
      usage 212+19=231 cached 0 reasoning 0
      finished Length
    openai/j_tool_use_content_and_calls
      text "Adding it now."
      call call_x add_task {"title":"call the dentist"}
      usage 212+19=231 cached 0 reasoning 0
      finished Stop
    openai/k1_crlf
      text "ok"
      usage 100+1=101 cached 0 reasoning 0 estimated
      finished Stop
    openai/k3_crlf_events_lf_done
      text "ok"
      usage 100+1=101 cached 0 reasoning 0 estimated
      finished Stop
    openai/k5_done_trailing_space_and_keepalive_comment
      text "ok"
      usage 100+1=101 cached 0 reasoning 0 estimated
      finished Stop
    openai/k6_event_id_retry_lines
      text "ok"
      usage 100+1=101 cached 0 reasoning 0 estimated
      finished Stop
    openrouter/a_text
      reasoning "User wants help"
      text "Sure — I can help with your tasks."
      meta {"reasoning_details":[{"format":"unknown","index":0,"text":"User wants help","type":"reasoning.text"}]}
      usage 169+52=221 cached 0 reasoning 12
      finished Stop
    openrouter/b_one_tool_call_split
      reasoning "User wants help"
      call call_abc123 add_task {"title":"buy milk","priority":"high"}
      meta {"reasoning_details":[{"format":"unknown","index":0,"text":"User wants help","type":"reasoning.text"}]}
      usage 169+52=221 cached 0 reasoning 12
      finished Stop
    openrouter/c_two_tool_calls
      call call_1 add_task {"title":"buy milk","priority":"high"}
      call call_2 add_task {"title":"call the dentist"}
      usage 169+52=221 cached 0 reasoning 12
      finished Stop
    openrouter/d3_finish_error_no_payload
      text "Sure"
      usage 100+2=102 cached 0 reasoning 0 estimated
      error Upstream: finish reason Some("error"), natively Some("network_error")
    openrouter/d_midstream_error
      text "Sure"
      usage 100+2=102 cached 0 reasoning 0 estimated
      error Upstream: in the stream: {"code":"server_error","message":"Provider disconnected unexpectedly"}
    openrouter/e_truncated_no_done
      text "Sure — I can help"
      usage 100+7=107 cached 0 reasoning 0 estimated
      error StreamLost: the stream ended without a finish reason and without [DONE]
    openrouter/f1_finish_length
      text "Sure — I can"
      usage 169+52=221 cached 0 reasoning 12
      finished Length
    openrouter/f2_finish_content_filter
      text "Sure —"
      usage 100+3=103 cached 0 reasoning 0 estimated
      error ContentFiltered: finish reason Some("content_filter"), natively Some("SAFETY")
    openrouter/g_malformed_tool_args
      call call_abc123 add_task {"title":"buy milk","priority":
      usage 169+52=221 cached 0 reasoning 12
      finished Stop
    "#);
}
