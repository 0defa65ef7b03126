//! The checker sees what it is there for: a sound record is changed in one thing, and exactly that promise is broken.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::violations;
use crate::{
    client::{Heard, Told},
    evidence::{Call, Evidence, Item, Run, Task},
    model::KEY,
    support::stream::Event,
};

fn event(id: i64, name: &str, data: Value) -> Event {
    Event { id, name: name.into(), data }
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn events() -> Vec<Event> {
    let delta =
        |id, message, delta| event(id, "message.delta", json!({"message_id": message, "delta": delta}));
    let whole = |id, message, content| {
        event(id, "message.completed", json!({"message_id": message, "content": content}))
    };
    vec![
        event(1, "run.created", json!({"run_id": "run"})),
        delta(2, "first", "Let "),
        delta(3, "first", "me."),
        whole(4, "first", "Let me."),
        event(5, "tool.started", json!({"call_id": "call"})),
        event(6, "tool.completed", json!({"call_id": "call"})),
        delta(7, "last", "Do"),
        delta(8, "last", "ne."),
        whole(9, "last", "Done."),
        event(10, "run.completed", json!({"run_id": "run"})),
    ]
}

fn item(position: i64, id: &str, kind: &str, body: Value) -> Item {
    Item {
        conversation: "conversation".into(),
        position,
        id: id.into(),
        run: "run".into(),
        kind: kind.into(),
        body,
    }
}

fn run(id: &str, conversation: &str, begins: i64) -> Run {
    Run {
        id: id.into(),
        conversation: conversation.into(),
        status: "completed".into(),
        error: None,
        attempt: 1,
        created: time(begins),
        ended: Some(time(begins + 5)),
    }
}

/// A turn that lost its connection once and was heard to its end.
fn sound() -> Evidence {
    let (events, again) = (events(), events());
    let cut = |after, is_first, events: &[Event]| Heard {
        after,
        is_first,
        events: events.to_vec(),
        is_whole: false,
    };
    let turn = Told {
        user: "ada".into(),
        message: "add milk".into(),
        run: Some("run".into()),
        conversation: Some("conversation".into()),
        under_its_key: Some("run".into()),
        connections: vec![cut(None, true, &events[..3]), cut(Some(3), false, &events[3..])],
        again,
        ..Told::default()
    };
    Evidence {
        turns: vec![turn],
        runs: vec![run("run", "conversation", 0)],
        items: vec![
            item(1, "message", "user", json!({"text": "add milk"})),
            item(2, "first", "assistant", json!({"text": "Let me.", "calls": [{"id": "call"}]})),
            item(3, "answer", "tool", json!({"call_id": "call"})),
            item(4, "last", "assistant", json!({"text": "Done."})),
        ],
        calls: vec![Call { id: "call".into(), state: "settled".into(), status: Some("ok".into()) }],
        effects: vec!["call".into()],
        tasks: vec![Task { user: "ada".into(), title: "milk".into() }],
        questions: vec![json!({"messages": [{"role": "user", "content": "add milk"}]})],
        ..Evidence::default()
    }
}

/// Returns the promises that are broken after a change, each once.
fn broken(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
    let mut evidence = sound();
    change(&mut evidence);
    let mut names: Vec<String> =
        violations(&evidence).iter().map(|fault| fault.split(' ').next().unwrap().to_owned()).collect();
    names.dedup();
    names
}

fn heard(evidence: &mut Evidence, connection: usize) -> &mut Vec<Event> {
    &mut evidence.turns[0].connections[connection].events
}

#[test]
fn a_sound_record_breaks_nothing() {
    assert_eq!(violations(&sound()), [""; 0]);
}

#[test]
fn an_acknowledged_message_that_is_lost_doubled_or_another_runs_is_seen() {
    assert_eq!(broken(|e| e.items[0].body["text"] = "add beer".into()), ["INV1"]);
    assert_eq!(broken(|e| e.items[0].run = "other".into()), ["INV1"]);
    assert_eq!(broken(|e| e.turns[0].under_its_key = Some("other".into())), ["INV1"]);
    assert_eq!(
        broken(|e| {
            let twice = Item { position: 5, id: "message-2".into(), ..e.items[0].clone() };
            e.items.push(twice);
        }),
        ["INV1"]
    );
}

#[test]
fn a_run_without_an_end_is_seen() {
    let open = |status: &str, ended| Run { status: status.into(), ended, ..run("r", "other", 0) };
    assert_eq!(broken(|e| e.runs.push(open("failed", None))), ["INV2"]);
    assert_eq!(broken(|e| e.runs.push(open("running", Some(time(1))))), ["INV2"]);
    assert_eq!(broken(|e| e.turns.push(Told::default())), ["INV2"]);
}

#[test]
fn a_second_reply_none_or_another_end_than_the_stored_one_is_seen() {
    let second = |e: &mut Evidence| e.items.push(item(5, "empty", "assistant", json!({"text": ""})));
    assert_eq!(broken(second), ["INV3"]);
    assert_eq!(broken(|e| e.items[3].body["incomplete"] = true.into()), ["INV3"]);
    assert_eq!(broken(|e| e.runs[0].status = "cancelled".into()), ["INV3"]);
    assert_eq!(broken(|e| e.runs[0].error = Some("internal".into())), ["INV3"]);
    let goes_on = |e: &mut Evidence| {
        let more = event(11, "notice", json!({}));
        heard(e, 1).push(more.clone());
        e.turns[0].again.push(more);
    };
    assert_eq!(broken(goes_on), ["INV3", "INV5"]);
}

#[test]
fn an_effect_that_came_twice_never_or_from_nowhere_is_seen() {
    assert_eq!(broken(|e| e.tasks.push(e.tasks[0].clone())), ["INV4"]);
    assert_eq!(broken(|e| e.effects.push("call".into())), ["INV4"]);
    assert_eq!(broken(|e| e.effects[0] = "nobody's".into()), ["INV4"]);
    assert_eq!(broken(|e| e.calls[0].status = Some("not_run".into())), ["INV4"]);
    assert_eq!(
        broken(|e| {
            e.effects.clear();
            e.tasks.clear();
        }),
        ["INV4"]
    );
    let open =
        |e: &mut Evidence| e.calls[0] = Call { id: "call".into(), state: "started".into(), status: None };
    assert_eq!(broken(open), ["INV4"]);
}

#[test]
fn events_that_are_missing_repeated_changed_or_out_of_order_are_seen() {
    assert_eq!(broken(|e| drop(heard(e, 1).remove(1))), ["INV5"], "never heard");
    assert_eq!(broken(|e| drop(heard(e, 0).remove(1))), ["INV5", "INV6"], "a word was never heard");
    assert_eq!(broken(|e| e.turns[0].connections[1].after = Some(4)), ["INV5"], "told again");
    assert_eq!(broken(|e| heard(e, 1).swap(1, 2)), ["INV5"]);
    assert_eq!(broken(|e| e.turns[0].again[5].data = json!({"call_id": "other"})), ["INV5"]);
    assert_eq!(broken(|e| drop(e.turns[0].again.pop())), ["INV5"], "without an end");
    let after_a_restart = |e: &mut Evidence| {
        e.restarts = 1;
        heard(e, 1).remove(1);
    };
    assert_eq!(broken(after_a_restart), ["INV5"], "what is stored must be heard");
}

#[test]
fn a_message_that_is_not_its_deltas_is_seen() {
    assert_eq!(broken(|e| e.items[3].body["text"] = "Not done.".into()), ["INV6"], "stored");
    let told = |e: &mut Evidence| {
        let Told { connections, again, .. } = &mut e.turns[0];
        for events in [&mut connections[1].events, again] {
            events.iter_mut().find(|event| event.id == 9).unwrap().data["content"] = "Never.".into();
        }
        e.items[3].body["text"] = "Never.".into();
    };
    assert_eq!(broken(told), ["INV6"], "told");
    assert_eq!(
        broken(|e| {
            e.restarts = 1;
            told(e);
        }),
        ["INV6"],
        "a restart may cut a text, not change it"
    );
    let left_over = |e: &mut Evidence| {
        e.restarts = 1;
        let ghost = event(10_000_001, "message.delta", json!({"message_id": "ghost", "delta": "boo"}));
        heard(e, 1).insert(6, Event { id: 9, ..ghost });
    };
    assert!(broken(left_over).contains(&"INV6".to_owned()), "text that nobody stored stays on the screen");
}

#[test]
fn two_runs_at_once_are_seen() {
    assert_eq!(broken(|e| e.runs.push(run("r", "conversation", 4))), ["INV3", "INV7"]);
    assert_eq!(broken(|e| e.runs.push(run("r", "elsewhere", 4))), ["INV3"], "in two conversations they may");
}

#[test]
fn a_survivor_and_a_panic_are_seen() {
    assert_eq!(broken(|e| e.survivors.push("task server 7".into())), ["INV8"]);
    assert_eq!(broken(|e| e.texts.push(("log".into(), "thread 'x' panicked at src".into()))), ["INV8"]);
}

#[test]
fn a_history_that_no_model_takes_is_seen() {
    let open = json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]}]});
    assert_eq!(broken(|e| e.questions.push(open)), ["INV9"]);
    assert_eq!(broken(|e| e.stuck.push("conversation".into())), ["INV9"]);
    assert_eq!(broken(|e| e.items[3].position = 5), ["INV9"]);
    assert_eq!(broken(|e| e.items[2].body["call_id"] = "other".into()), ["INV9"]);
    let answered_twice =
        |e: &mut Evidence| e.items.push(Item { position: 5, id: "a2".into(), ..e.items[2].clone() });
    assert_eq!(broken(answered_twice), ["INV9"]);
}

#[test]
fn a_secret_is_seen_wherever_it_stands() {
    assert_eq!(broken(|e| e.texts.push(("log".into(), format!("key {KEY} refused")))), ["INV11"]);
}
