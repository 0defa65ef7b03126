//! What the component is sent, word for word.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    domain::{Item, NoticeCode, Recorded, Reply, Usage, UserMessage},
    wire::chatkit::view,
};

/// Makes an id of a fixed moment.
fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 + number).into()
}

fn thread() -> Conversation {
    let made = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let title = Some("buy milk".to_owned());
    Conversation { id: id(1), title, active_run_id: None, created_at: made, updated_at: made }
}

fn call(number: u128, name: &str, arguments: &Value) -> ToolCall {
    ToolCall {
        id: id(number),
        provider_id: "call_x".into(),
        server: "tasks".into(),
        name: name.into(),
        arguments: arguments.as_object().unwrap().clone(),
        unparsed: None,
        provider_meta: None,
    }
}

fn answer(call: &ToolCall, status: CallStatus, text: &str, result: Value) -> ToolResult {
    ToolResult { result, ..ToolResult::without_output(call, status, text) }
}

fn delta(message: u128, delta: &str) -> Event {
    Event::MessageDelta { message_id: id(message), delta: delta.into() }
}

fn whole(message: u128, content: &str) -> Event {
    Event::MessageCompleted { message_id: id(message), content: content.into(), incomplete: false }
}

fn end(status: RunStatus, failure: Option<RunFailure>) -> Event {
    Event::Ended(End { run_id: id(9), status, failure, usage: Usage::default(), retry_after: None })
}

/// Renders events behind the opening of a stream that shows nothing but the answer.
fn answered(events: &[Event]) -> String {
    let (mut render, _) = Render::open(&thread(), &Opening::Again);
    events.iter().map(|event| render.render(event)).collect::<String>() + &render.close()
}

/// The items that a stream has finished, as JSON.
fn items(frames: &str) -> Vec<Value> {
    let events = frames.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let events = events.map(|data| serde_json::from_str::<Value>(data).unwrap());
    events.filter(|event| event["type"] == "thread.item.done").map(|event| event["item"].clone()).collect()
}

/// Stored items, with these ids.
fn recorded<const N: usize>(items: [Item; N], ids: [u128; N]) -> Vec<Recorded> {
    let stored = (1_i64..).zip(items).zip(ids).map(|((position, item), number)| Recorded {
        id: id(number),
        position,
        run_id: id(9),
        event_id: position.into(),
        created_at: thread().created_at,
        item,
    });
    stored.collect()
}

#[test]
fn a_new_thread_begins_with_itself_its_message_and_the_stop_button() {
    let (_, created) = Render::open(&thread(), &Opening::Created(id(2), "buy milk".into()));
    insta::assert_snapshot!(created, @r#"
data: {"type":"thread.created","thread":{"id":"thr_019a0000000070008000000000000001","created_at":"2027-01-15T08:00:00.000000Z","status":{"type":"active"},"metadata":{},"items":{"data":[],"has_more":false}}}

data: {"type":"thread.item.done","item":{"id":"msg_019a0000000070008000000000000002","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"user_message","content":[{"type":"input_text","text":"buy milk"}],"attachments":[],"inference_options":{}}}

data: {"type":"stream_options","stream_options":{"allow_cancel":true}}

data: {"type":"thread.updated","thread":{"id":"thr_019a0000000070008000000000000001","title":"buy milk","created_at":"2027-01-15T08:00:00.000000Z","status":{"type":"active"},"metadata":{},"items":{"data":[],"has_more":false}}}
"#);
    let (_, added) = Render::open(&thread(), &Opening::Added(id(2), "buy milk".into()));
    assert_eq!(created.split_once("\n\n").unwrap().1, added);
    let (_, again) = Render::open(&thread(), &Opening::Again);
    assert!(added.contains(&again));
}

#[test]
fn calls_are_one_workflow_and_text_is_written_word_by_word() {
    let (add, done) =
        (call(4, "add_task", &json!({"title": "Milk"})), call(6, "complete_task", &json!({"number": 9})));
    let frames = answered(&[
        Event::Notice(NoticeCode::DemoMode.notice()),
        Event::ToolStarted { message_id: id(3), call: add.clone() },
        Event::ToolCompleted {
            message_id: id(3),
            result: answer(&add, CallStatus::Ok, "Task created", json!({})),
        },
        Event::ToolStarted { message_id: id(5), call: done.clone() },
        Event::ToolCompleted {
            message_id: id(5),
            result: answer(&done, CallStatus::Error, "No task", json!({})),
        },
        delta(7, "Do"),
        delta(7, "ne"),
        whole(7, "Done."),
        end(RunStatus::Completed, None),
    ]);
    insta::assert_snapshot!(frames, @r#"
data: {"type":"notice","level":"info","message":"No model is configured: the built-in demo answers. Set LLM_PROVIDER and a key to talk to a model."}

data: {"type":"thread.item.added","item":{"id":"wf_019a0000000070008000000000000003","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"workflow","workflow":{"type":"custom","tasks":[{"type":"custom","title":"Add task","icon":"bolt","content":"```\n{\"title\":\"Milk\"}\n```","status_indicator":"loading"}],"expanded":true}}}

data: {"type":"thread.item.updated","item_id":"wf_019a0000000070008000000000000003","update":{"type":"workflow.task.updated","task_index":0,"task":{"type":"custom","title":"Add task","icon":"check-circle","content":"```\nTask created\n```","status_indicator":"complete"}}}

data: {"type":"client_effect","name":"tasks_changed","data":{}}

data: {"type":"thread.item.updated","item_id":"wf_019a0000000070008000000000000003","update":{"type":"workflow.task.added","task_index":1,"task":{"type":"custom","title":"Complete task","icon":"bolt","content":"```\n{\"number\":9}\n```","status_indicator":"loading"}}}

data: {"type":"thread.item.updated","item_id":"wf_019a0000000070008000000000000003","update":{"type":"workflow.task.updated","task_index":1,"task":{"type":"custom","title":"Complete task","icon":"info","content":"```\nNo task\n```","status_indicator":"complete"}}}

data: {"type":"thread.item.done","item":{"id":"wf_019a0000000070008000000000000003","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"workflow","workflow":{"type":"custom","tasks":[{"type":"custom","title":"Add task","icon":"check-circle","content":"```\nTask created\n```","status_indicator":"complete"},{"type":"custom","title":"Complete task","icon":"info","content":"```\nNo task\n```","status_indicator":"complete"}],"summary":{"title":"Add task, Complete task","icon":"bolt"},"expanded":false}}}

data: {"type":"thread.item.added","item":{"id":"msg_019a0000000070008000000000000007","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"assistant_message","content":[]}}

data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000007","update":{"type":"assistant_message.content_part.added","content_index":0,"content":{"type":"output_text","text":"","annotations":[]}}}

data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000007","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"Do"}}

data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000007","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"ne"}}

data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000007","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"."}}

data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000007","update":{"type":"assistant_message.content_part.done","content_index":0,"content":{"type":"output_text","text":"Done.","annotations":[]}}}

data: {"type":"thread.item.done","item":{"id":"msg_019a0000000070008000000000000007","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"assistant_message","content":[{"type":"output_text","text":"Done.","annotations":[]}]}}
"#);
}

#[test]
fn a_list_that_ends_the_calls_is_a_widget() {
    let task = |number: u8, status: &str| json!({"number": number, "title": "Milk", "status": status, "priority": "high"});
    let result = json!({"tasks": [task(1, "pending"), task(2, "completed")]});
    let list = call(4, "list_tasks", &json!({}));
    let frames = answered(&[
        Event::ToolStarted { message_id: id(3), call: list.clone() },
        Event::ToolCompleted { message_id: id(3), result: answer(&list, CallStatus::Ok, "1. Milk", result) },
        end(RunStatus::Completed, None),
    ]);
    let items = items(&frames);
    assert_eq!((items.len(), &items[1]["copy_text"]), (2, &json!("1. Milk\n2. Milk")));
    insta::assert_snapshot!(items[1]["widget"], @r#"
{"children":[{"align":"center","children":[{"lineThrough":false,"type":"Text","value":"1. Milk"},{"color":"danger","label":"high","type":"Badge"},{"type":"Spacer"},{"label":"Complete","onClickAction":{"handler":"server","loadingBehavior":"auto","payload":{"number":1},"streaming":true,"type":"task.complete"},"size":"sm","type":"Button","variant":"soft"}],"key":"task-1","type":"ListViewItem"},{"align":"center","children":[{"lineThrough":true,"type":"Text","value":"2. Milk"}],"key":"task-2","type":"ListViewItem"}],"type":"ListView"}
"#);
}

/// A list of one task as the tool tells it.
const LISTED: &str = "Your tasks:\n1. [ ] Milk";

/// What a model says behind that list, piece by piece, and whether it is told as stored alone; returns what is shown.
fn behind_a_list(pieces: &[&str], whole_text: &str) -> Vec<Value> {
    let list = call(4, "list_tasks", &json!({}));
    let task = json!({"number": 1, "title": "Milk", "status": "pending", "priority": "high"});
    let listed = answer(&list, CallStatus::Ok, LISTED, json!({"tasks": [task]}));
    let mut events = vec![
        Event::ToolStarted { message_id: id(3), call: list.clone() },
        Event::ToolCompleted { message_id: id(3), result: listed.clone() },
    ];
    events.extend(pieces.iter().map(|piece| delta(7, piece)));
    events.extend([whole(7, whole_text), end(RunStatus::Completed, None)]);
    let frames = answered(&events);
    let stored = [
        Item::Assistant(Reply { calls: vec![list], ..Reply::of_text("") }),
        Item::Tool(listed),
        Item::Assistant(Reply::of_text(whole_text)),
    ];
    let shown = view(thread().id, &recorded(stored, [3, 21, 7]), |_| None);
    let shown: Vec<Value> = shown.iter().map(|item| serde_json::to_value(item).unwrap()).collect();
    assert_eq!(shown, items(&frames), "a reload shows what the stream has told");
    assert!(!frames.contains("thread.item.removed"), "nothing is shown and taken back\n{frames}");
    assert!(shown.len() > 2 || !frames.contains("msg_"), "nothing is told of what is not shown\n{frames}");
    shown[2..].to_vec()
}

#[test]
fn a_list_that_is_shown_is_not_said_again() {
    for pieces in [&["Your ", "tasks:\n", "1. [ ] Milk"][..], &[]] {
        assert_eq!(behind_a_list(pieces, LISTED), [Value::Null; 0], "{pieces:?}");
    }
    assert_eq!(
        behind_a_list(&["Your ta"], "Your ta"),
        [Value::Null; 0],
        "nor the part of it that was said before a stop"
    );
}

#[test]
fn what_says_more_than_the_list_is_said_whole() {
    let more = format!("{LISTED}\nThat is all.");
    for pieces in [&["Your ", "tasks:\n1. [ ] Milk", "\nThat ", "is all."][..], &[], &["Your tasks:"]] {
        let shown = behind_a_list(pieces, &more);
        assert_eq!(shown[0]["content"][0]["text"], more.as_str(), "{pieces:?}");
    }
    assert_eq!(
        behind_a_list(&["You", " have one."], "You have one.")[0]["content"][0]["text"],
        "You have one."
    );
}

#[test]
fn a_failed_stream_keeps_its_text_and_says_why_it_ended() {
    let failed =
        [delta(3, "Half"), whole(3, "Half"), end(RunStatus::Failed, Some(RunFailure::ModelStreamLost))];
    let frames = answered(&failed);
    insta::assert_snapshot!(frames.split("\n\n").skip(3).collect::<Vec<_>>().join("\n\n"), @r#"
data: {"type":"thread.item.updated","item_id":"msg_019a0000000070008000000000000003","update":{"type":"assistant_message.content_part.done","content_index":0,"content":{"type":"output_text","text":"Half","annotations":[]}}}

data: {"type":"thread.item.done","item":{"id":"msg_019a0000000070008000000000000003","thread_id":"thr_019a0000000070008000000000000001","created_at":"2025-10-20T05:03:11.360000Z","type":"assistant_message","content":[{"type":"output_text","text":"Half","annotations":[]}]}}

data: {"type":"error","code":"custom","message":"The answer broke off. Please try again.","allow_retry":true}
"#);
    let last = answered(&[end(RunStatus::Failed, Some(RunFailure::ModelAuth))]);
    assert!(last.ends_with(
        "\"message\":\"AI service unavailable. Please contact whoever runs this service.\",\"allow_retry\":false}\n\n"
    ));
}

#[test]
fn a_stream_that_never_heard_its_end_does_not_look_whole() {
    let frames = answered(&[delta(3, "Half")]);
    assert!(frames.contains("\"delta\":\"Half\""));
    assert!(frames.trim_end().ends_with("\"allow_retry\":false}"), "{frames}");
    assert!(!frames.contains("thread.item.done"));
}

#[test]
fn thoughts_are_a_workflow_of_their_own_that_ends_before_the_text() {
    let think = |text: &str| Event::ReasoningDelta { message_id: id(3), delta: text.into() };
    let frames = answered(&[
        think("They want"),
        think(" milk."),
        delta(3, "Hi"),
        whole(3, "Hi"),
        end(RunStatus::Completed, None),
    ]);
    let kinds: Vec<String> =
        items(&frames).iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["workflow", "assistant_message"]);
    let thought = &items(&frames)[0]["workflow"];
    assert_eq!(
        (&thought["type"], &thought["tasks"][0]["content"]),
        (&json!("reasoning"), &json!("They want milk."))
    );
}

#[test]
fn a_pause_before_the_model_is_asked_again_is_told_and_leaves_nothing_behind() {
    let (mut render, _) = Render::open(&thread(), &Opening::Again);
    let retrying = render.render(&Event::Notice(NoticeCode::ModelRetrying.notice()));
    assert_eq!(
        retrying,
        "data: {\"type\":\"progress_update\",\"text\":\"The AI service is busy; trying again.\"}\n\n"
    );
    assert!(render.render(&delta(3, "Hi")).starts_with("data: {\"type\":\"thread.item.added\""));
}

#[test]
fn patience_is_asked_for_once_while_nothing_is_shown() {
    let (mut render, _) = Render::open(&thread(), &Opening::Again);
    let (first, second) = (render.silence(), render.silence());
    assert_eq!(first, "data: {\"type\":\"progress_update\",\"text\":\"Waiting for the AI service…\"}\n\n");
    assert_eq!(second, crate::wire::HEARTBEAT);
    render.render(&delta(3, "Hi"));
    assert_eq!(render.silence(), crate::wire::HEARTBEAT);
}

#[test]
fn a_reload_shows_what_the_stream_has_told() {
    let list = call(5, "list_tasks", &json!({}));
    let listed = answer(&list, CallStatus::Ok, "Your tasks", json!({"tasks": []}));
    let add = call(6, "add_task", &json!({"title": "Milk"}));
    let added = answer(&add, CallStatus::Ok, "Task created", json!({}));
    let frames = answered(&[
        delta(3, "Let me see."),
        whole(3, "Let me see."),
        Event::ToolStarted { message_id: id(3), call: add.clone() },
        Event::ToolCompleted { message_id: id(3), result: added.clone() },
        Event::ToolStarted { message_id: id(4), call: list.clone() },
        Event::ToolCompleted { message_id: id(4), result: listed.clone() },
        whole(7, "Nothing."),
        end(RunStatus::Completed, None),
    ]);
    let stored = [
        Item::User(UserMessage { text: "list".into(), context: String::new() }),
        Item::Assistant(Reply { calls: vec![add], ..Reply::of_text("Let me see.") }),
        Item::Tool(added),
        Item::Assistant(Reply { calls: vec![list], ..Reply::of_text("") }),
        Item::Tool(listed),
        Item::Assistant(Reply::of_text("Nothing.")),
    ];
    let shown = view(thread().id, &recorded(stored, [2, 3, 20, 4, 21, 7]), |_| None);
    let shown: Vec<Value> = shown[1..].iter().map(|item| serde_json::to_value(item).unwrap()).collect();
    assert_eq!(shown, items(&frames));
    assert_eq!(shown.len(), 4);
}
