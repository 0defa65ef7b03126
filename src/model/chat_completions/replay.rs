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
        Ok(ModelEvent::CallBegun) => "call begun".into(),
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
    insta::assert_snapshot!(replies);
}
