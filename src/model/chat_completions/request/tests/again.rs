//! Questions about a history that grows: what was written before is not written again, and nobody can tell.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{
    super::body,
    call, calls_only, result_of,
    strict::{MODELS, any_item, tools},
    user,
};
use crate::{
    domain::{ConversationId, Item, Meter, ModelRequest, Reply, Tool, ToolChoice, Transcript},
    model::{Provider, chat_completions::offer::Offer, fake::ALONE, providers::quirks},
};

/// Writes a body, with a transcript or anew.
fn written(
    (provider, model): (Provider, &Arc<str>),
    history: &[Item],
    tools: &[Tool],
    transcript: Option<&Mutex<Transcript>>,
) -> String {
    let quirks = quirks::of(provider, model);
    let request = ModelRequest {
        instructions: "Be kind.",
        history,
        transcript,
        tools,
        tool_choice: ToolChoice::Auto,
        conversation_id: "0190a5b4-7e3c-7cc0-a1b2-c3d4e5f60718".parse::<ConversationId>().unwrap(),
        meter: &Meter::default(),
        asker: &ALONE,
    };
    let offer = Offer::of(tools, quirks.schema).unwrap();
    String::from_utf8(body(provider, model, quirks, &offer, &request).unwrap()).unwrap()
}

/// Begins a history that is long enough for a transcript.
fn long() -> Vec<Item> {
    vec![user(&"long ".repeat(3_400), "Friday")]
}

/// One turn with a call.
fn turn() -> Vec<Item> {
    let milk = call("a", "milk", None);
    let reply = Item::Assistant(Reply::of_text("Done."));
    vec![user("add milk", ""), calls_only(&[&milk], None), result_of(&milk, "ok"), reply]
}

#[test]
fn what_was_settled_before_is_not_written_again() {
    let (model, transcript): (Arc<str>, _) = ("llama3".into(), Mutex::default());
    let ask = |history: &[Item]| {
        let tools = tools();
        let again = written((Provider::Custom, &model), history, &tools, Some(&transcript));
        assert_eq!(again, written((Provider::Custom, &model), history, &tools, None));
        let transcript = transcript.lock().unwrap();
        (transcript.items, transcript.text.as_ptr())
    };
    let mut history = [long(), turn()[1..].to_vec()].concat();
    history.extend(turn());
    let (items, place) = ask(&history[..5]);
    assert_eq!(items, 4, "the newest message is not settled");
    assert_eq!(ask(&history[..7]), (4, place), "neither are a call and its answer");
    history.extend(turn());
    assert_eq!(ask(&history[..9]), (8, place));
    assert_eq!(transcript.lock().unwrap().ids.len(), 2, "the ids of later calls differ from these");
}

#[test]
fn what_another_model_has_written_is_not_gone_on_with() {
    let (history, transcript) = ([long(), turn(), turn()].concat(), Mutex::default());
    let models: [Arc<str>; 2] = ["llama3".into(), "llama3".into()];
    for model in &models {
        written((Provider::Custom, model), &history, &[], Some(&transcript));
        let by = transcript.lock().unwrap().by.clone().unwrap();
        assert!(Arc::ptr_eq(&by, model), "though its name is the same");
    }
}

#[test]
fn a_call_that_is_there_once_more_has_the_answer_that_comes_first() {
    let (model, transcript): (Arc<str>, _) = ("llama3".into(), Mutex::default());
    let turn = turn();
    let history = [&long(), &turn[1..], &turn[..2]].concat();
    let again = written((Provider::Custom, &model), &history, &[], Some(&transcript));
    assert_eq!(again, written((Provider::Custom, &model), &history, &[], None));
}

#[test]
fn of_a_short_history_nothing_is_kept() {
    let (history, transcript) = ([turn(), turn()].concat(), Mutex::default());
    written((Provider::Custom, &"llama3".into()), &history, &[], Some(&transcript));
    assert_eq!(transcript.lock().unwrap().weight(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_was_stored_a_history_that_grows_is_written_as_it_is_anew(
        parts in prop::collection::vec(any_item(), 0..12),
        lost in prop::collection::vec(0_usize..30, 0..4),
        copied in prop::collection::vec((0_usize..30, 0_usize..30), 0..3),
        asked in prop::collection::vec((1_usize..40, 0_usize..4), 1..8),
    ) {
        let mut history = [long(), parts.concat()].concat();
        for (from, to) in copied {
            if from.max(to) < history.len() && from > 0 {
                history.insert(to, history[from].clone());
            }
        }
        for place in lost {
            if (1..history.len()).contains(&place) {
                history.remove(place);
            }
        }
        let mut asked = asked;
        asked.sort_unstable();
        let all = tools();
        for (provider, model) in MODELS {
            let (model, transcript) = (Arc::<str>::from(model), Mutex::default());
            for (length, tools) in &asked {
                let (history, tools) = (&history[..*length.min(&history.len())], &all[..*tools]);
                let again = written((provider, &model), history, tools, Some(&transcript));
                prop_assert_eq!(again, written((provider, &model), history, tools, None));
            }
        }
    }
}
