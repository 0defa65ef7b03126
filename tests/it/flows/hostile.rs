//! A model that tries everything: calls without number, made up from what could hurt, for one user. Another user's rows
//! stay what they are, and nothing of them is ever read.

use parlor_db::on_both;
use proptest::{
    prelude::*,
    sample::select,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::support::{
    migrations,
    process::Process,
    provider::{Answer, Provider},
    rows::rows_of,
    stream::{Event, names},
};

/// What only Bob has said and stored. No generated argument holds it: where it appears, it was read.
const CANARY: &str = "canary-of-bob-91c7";

/// How many turns the model gets, and how many calls it makes in each.
const TURNS: usize = 24;
const CALLS: usize = 6;

/// The tools there are, and some that there are not.
const NAMES: [&str; 11] = [
    "add_task",
    "list_tasks",
    "complete_task",
    "delete_task",
    "update_task",
    "set_priority",
    "list_all_tasks",
    "execute_sql",
    "tools/list",
    "ADD_TASK",
    "add_task ",
];

/// Arguments that the tools know, and some that would name a user if any tool had them.
const FIELDS: [&str; 16] = [
    "number",
    "title_contains",
    "title",
    "description",
    "priority",
    "status",
    "search",
    "limit",
    "after",
    "user_id",
    "userId",
    "user",
    "_meta",
    "dev.parlor/user-id",
    "dev.parlor/call-key",
    "__proto__",
];

/// Texts that mean something somewhere.
const TEXTS: [&str; 17] = [
    "bob",
    "Bob",
    "Bob's plan",
    "plan",
    "%",
    "_",
    "",
    " ",
    "a",
    "high",
    "pending",
    "all",
    "*",
    "' OR user_id = 'bob' --",
    "\u{0}",
    "user_id=bob",
    "{\"dev.parlor/user-id\":\"bob\"}",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => select(&TEXTS[..]).prop_map(Value::from),
        4 => (-1_i64..6).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => ".{0,12}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => scalar(),
        1 => Just(json!({"dev.parlor/user-id": "bob"})),
        1 => prop::collection::vec(scalar(), 0..3).prop_map(Value::from),
    ]
}

/// A call that its tool takes, so that the store is reached and not just the door.
fn fitting() -> impl Strategy<Value = (&'static str, Value)> {
    let text = || select(&TEXTS[..]);
    let one = || {
        prop_oneof![
            (1_i64..6).prop_map(|number| json!({"number": number})),
            text().prop_map(|text| json!({"title_contains": text})),
        ]
    };
    let with = |mut one: Value, name: &str, value: &str| {
        one[name] = value.into();
        one
    };
    prop_oneof![
        text().prop_map(|text| ("add_task", json!({"title": text}))),
        text().prop_map(|text| ("list_tasks", json!({"search": text}))),
        (0_i64..6).prop_map(|after| ("list_tasks", json!({"after": after}))),
        one().prop_map(|one| ("complete_task", one)),
        one().prop_map(|one| ("delete_task", one)),
        one().prop_map(move |one| ("set_priority", with(one, "priority", "high"))),
        one().prop_map(move |one| ("update_task", with(one, "title", "taken over"))),
        one().prop_map(move |one| ("update_task", with(one, "status", "completed"))),
    ]
}

/// A call of any name with any arguments.
fn wild() -> impl Strategy<Value = (&'static str, Value)> {
    let fields = prop::collection::btree_map(select(&FIELDS[..]).prop_map(str::to_owned), value(), 0..4);
    let arguments = fields.prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
    (select(&NAMES[..]), arguments)
}

fn calls() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    prop::collection::vec(prop_oneof![3 => fitting(), 2 => wild()], CALLS)
}

/// Lets Bob and Ada have conversations and tasks of the same titles; only Bob's hold the canary.
async fn settle(service: &Process, provider: &Provider) {
    for (user, secret) in [("bob", CANARY), ("ada", "nothing")] {
        provider.then(Answer::text([secret]));
        service.say(user, &format!("remember {secret}"), None).await.rest().await;
        for title in ["Bob's plan", "plan b", "a"] {
            let task = json!({"title": format!("{title} {secret}"), "description": secret});
            let added = service.post(&format!("/api/{user}/tasks"), task).await.unwrap();
            assert_eq!(added.status(), 201);
        }
    }
}

fn statuses(events: &[Event]) -> impl Iterator<Item = &str> {
    let ends = events.iter().filter(|event| event.name == "tool.completed");
    ends.filter_map(|event| event.data["status"].as_str())
}

on_both! { migrations();
    async fn whatever_a_model_asks_for_ada_bob_keeps_what_he_has_and_nobody_sees_it(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("RUST_LOG", "trace")]].concat();
        let service = Process::start(&place, &settings).await;
        settle(&service, &provider).await;
        let (before, asked_before) = (rows_of(&place, "bob").await, provider.requests().len());
        assert!(before.iter().filter(|row| row.contains(CANARY)).count() >= 5, "{before:?}");

        let mut runner = TestRunner::new(Config::default());
        let (mut told, mut seen) = (String::new(), std::collections::BTreeMap::<String, usize>::new());
        for _ in 0..TURNS {
            let calls = calls().new_tree(&mut runner).unwrap().current();
            provider.then(Answer::calls(&calls)).then(Answer::text(["Done."]));
            let mut turn = service.say("ada", "go on", None).await;
            let events = turn.rest().await;
            assert_eq!(names(&events).last(), Some(&"run.completed"), "{calls:?}");
            told.push_str(turn.raw());
            for status in statuses(&events) {
                *seen.entry(status.to_owned()).or_default() += 1;
            }
            assert!(!told.contains(CANARY), "it was told after {calls:?}");
            assert_eq!(rows_of(&place, "bob").await, before, "after {calls:?}");
        }
        assert_eq!(seen.values().sum::<usize>(), TURNS * CALLS, "{seen:?}");
        assert!(seen.get("ok") >= Some(&20) && seen.get("invalid") >= Some(&20), "{seen:?}");
        for request in &provider.requests()[asked_before..] {
            assert!(!request.to_string().contains(CANARY), "{request}");
        }
        let log = service.terminate().await.log;
        assert!(!log.contains(CANARY), "it was logged");
    }
}
