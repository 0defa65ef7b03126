//! The service is killed and takes nothing up again: nothing acknowledged is lost, nothing stays open, and the
//! conversation goes on.

use parlor::{
    clock::Clock,
    domain::{ConversationId, ItemId, ModelIdentity, RunId, ToolChoice, UserId, UserMessage},
    store::{self, Accept, NewRun, Store},
};
use parlor_db::{Db, on_both, testing::Place};
use rustix::process::{Pid, Signal, kill_process};
use sea_query::{Alias, Query};
use serde_json::{Value, json};

use crate::support::{
    app::conversation_of,
    eventually, migrations,
    process::{Process, children},
    provider::{Act, Answer, Provider, said},
    rows::is_set,
    soon,
    stream::{Turn, data, names, text},
};

/// The settings of a service that ends what was cut short.
fn interrupting(provider: &Provider) -> Vec<(&str, &str)> {
    [&provider.settings()[..], &[("RUN_RECOVERY", "interrupt")]].concat()
}

async fn messages(service: &Process, conversation: &str) -> Vec<Value> {
    let page = service.read(&format!("/api/ada/conversations/{conversation}/messages?limit=100")).await;
    page["data"].as_array().unwrap().clone()
}

on_both! { migrations();
    async fn a_run_that_was_killed_is_interrupted_before_the_service_is_ready(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &interrupting(&provider)).await;
        provider.then(Answer::acts([Act::Send(said("Once upon")), Act::Hang]));
        let mut turn = service.say("ada", "tell me a story", None).await;
        let created = turn.until("run.created").await;
        turn.until("message.delta").await;
        let (run, conversation) = (created.data["run_id"].as_str().unwrap(), conversation_of(std::slice::from_ref(&created)));
        // The text is saved once a second; that it was is seen in nothing but the database.
        eventually("the text is saved", || is_set(&place, run, "partial_text")).await;
        service.kill().await;

        let service = Process::start(&place, &interrupting(&provider)).await;
        let stored = service.read(&format!("/api/ada/runs/{run}")).await;
        assert_eq!((&stored["status"], &stored["error"]["code"]), (&json!("failed"), &json!("interrupted")));
        let path = format!("/api/ada/runs/{run}/events");
        let events = Turn::of(service.get(&path).await).rest().await;
        assert_eq!(names(&events), ["run.created", "message.completed", "run.failed"]);
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids, [1, 10_000_001, 10_000_002], "the end stands above all that a client saw");
        assert_eq!(data(&events, "message.completed")["content"], "Once upon");
        let seen = service.get(&format!("{path}?after=57")).await;
        assert_eq!(names(&Turn::of(seen).rest().await), ["message.completed", "run.failed"]);
        assert_eq!(service.get(&format!("{path}?after=10000002")).await.status(), 204);

        provider.then(Answer::text(["And so on."]));
        let next = service.say("ada", "go on", Some(&conversation)).await.rest().await;
        assert_eq!(text(&next), "And so on.");
        let roles: Vec<Value> = messages(&service, &conversation).await.iter().map(|m| m["role"].clone()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    }

    async fn a_call_in_flight_when_it_was_killed_is_in_doubt_and_the_model_is_told(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &interrupting(&provider)).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"})));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        let created = turn.until("run.created").await;
        turn.until("tool.started").await;
        service.kill().await;

        let service = Process::start(&place, &interrupting(&provider)).await;
        let conversation = conversation_of(&[created]);
        let stored = messages(&service, &conversation).await;
        let statuses: Vec<&Value> = stored.iter().map(|message| &message["status"]).collect();
        assert_eq!(statuses, [&Value::Null, &Value::Null, &json!("unknown")]);
        provider.then(Answer::text(["Let me look."]));
        let next = service.say("ada", "well?", Some(&conversation)).await.rest().await;
        assert_eq!(text(&next), "Let me look.");
        let told = provider.requests().last().unwrap()["messages"][3]["content"].as_str().unwrap().to_owned();
        assert!(told.contains("not known"), "{told}");
    }

    async fn a_run_that_lost_its_task_is_ended_and_that_of_another_process_is_not(place: Place) {
        let service = Process::start(&place, &[]).await;
        service.say("ada", "hello", None).await.rest().await;
        let lost = accepted(&place, &owner(&place).await).await;
        let foreign = accepted(&place, "another process").await;
        let mut following = Turn::of(service.get(&format!("/api/ada/runs/{lost}/events")).await);
        let events = soon("its end is told", following.rest()).await;
        assert_eq!(names(&events), ["run.created", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "interrupted");
        assert_eq!(service.read(&format!("/api/ada/runs/{foreign}")).await["status"], "running");
    }

    async fn no_task_server_outlives_a_service_that_was_killed(place: Place) {
        let service = Process::start(&place, &[]).await;
        let child = children(service.id())[0];
        service.kill().await;
        eventually("the task server ends", || async move {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok();
            let is_dead = stat.is_none_or(|stat| stat.contains(") Z "));
            is_dead.then_some(())
        })
        .await;
    }
}

/// Stores a turn of Ada's that nobody runs.
async fn accepted(place: &Place, owner: &str) -> RunId {
    let store = Store::new(Db::open(&place.url, 2), Clock::system());
    let turn = Accept {
        user: UserId::parse("ada").unwrap(),
        conversation: store::Place::New(ConversationId::new()),
        message: UserMessage { text: "hi".into(), context: String::new() },
        message_id: ItemId::new(),
        run: NewRun {
            id: RunId::new(),
            first_message: ItemId::new(),
            model: ModelIdentity { provider: "demo".into(), model: "demo".into() },
            tool_choice: ToolChoice::Auto,
            owner: owner.into(),
        },
        key: None,
    };
    store.accept(turn.clone()).await.unwrap();
    store.close().await;
    turn.run.id
}

/// Returns the name under which a service owns its runs, which is seen in nothing but the database.
async fn owner(place: &Place) -> String {
    let db = Db::open(&place.url, 2);
    let owners = Query::select().column(Alias::new("owner")).from(Alias::new("runs")).to_owned();
    let found: Option<(String,)> = db.find(&owners).await.unwrap();
    db.close().await;
    found.unwrap().0
}
