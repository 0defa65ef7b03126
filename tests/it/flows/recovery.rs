//! A run that was cut short goes on by itself: after a crash and after a deploy, in the middle of a text and of a call.

use parlor_db::{on_both, testing::Engine};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    app::{conversation_of, problem, run_of},
    eventually, migrations,
    process::{Process, children},
    provider::{Act, Answer, Provider, finish, said},
    rows::{is_set, unset},
    script::Gate,
    stream::{Turn, data, names, text},
};

/// An answer that stops in the middle for good.
fn hanging(text: &str) -> Answer {
    Answer::acts([Act::Send(said(text)), Act::Hang])
}

async fn events(service: &Process, run: &str, seen: i64) -> Turn {
    Turn::of(service.get(&format!("/api/ada/runs/{run}/events?after={seen}")).await)
}

/// Lists who said what in a conversation.
async fn said_in(service: &Process, conversation: &str) -> Vec<(String, String)> {
    let page = service.read(&format!("/api/ada/conversations/{conversation}/messages?limit=100")).await;
    let word = |message: &Value, name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let messages = page["data"].as_array().unwrap().iter();
    messages.map(|message| (word(message, "role"), word(message, "content"))).collect()
}

async fn titles(service: &Process) -> Vec<String> {
    let page = service.read("/api/ada/tasks").await;
    page["data"].as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

/// Waits until somebody waits for a lock of the database that this connection is in.
async fn waits_for_a_lock(on: &mut PgConnection) -> Option<()> {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let count: i64 = sqlx::query_scalar(waiting).fetch_one(on).await.unwrap();
    (count > 0).then_some(())
}

on_both! { migrations();
    async fn a_run_that_was_killed_in_mid_answer_goes_on_and_withdraws_what_it_had_said(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("LIVE_LOG", "0")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(hanging("Once upon"));
        let mut turn = service.say("ada", "tell me a story", None).await;
        let created = turn.until("run.created").await;
        let heard = turn.until("message.delta").await;
        let run = run_of(std::slice::from_ref(&created));
        service.kill().await;

        provider.then(Answer::text(["There was ", "a king."]));
        let service = Process::start(&place, &settings).await;
        let rest = events(&service, &run, heard.id).await.rest().await;
        let (first, others) = rest.split_first().unwrap();
        assert_eq!((first.id, first.name.as_str()), (10_000_001, "message.discarded"));
        assert_eq!(first.data["message_id"], heard.data["message_id"], "although it was not saved yet");
        assert_eq!(data(others, "message.completed")["content"], "There was a king.");
        assert_eq!(names(others).last(), Some(&"run.completed"));
        let requests = provider.requests();
        assert_eq!(requests[0]["messages"], requests[1]["messages"], "the model is asked the same");

        let conversation = conversation_of(std::slice::from_ref(&created));
        let said = said_in(&service, &conversation).await;
        assert_eq!(said.last().unwrap(), &("assistant".to_owned(), "There was a king.".to_owned()));
        assert_eq!(said.len(), 2, "one message, one reply: {said:?}");
        let stored = service.read(&format!("/api/ada/runs/{run}")).await;
        assert_eq!((&stored["status"], &stored["attempt"]), (&json!("completed"), &json!(2)));
        let told = events(&service, &run, 0).await.rest().await;
        assert_eq!(names(&told), ["run.created", "message.discarded", "message.completed", "run.completed"]);
        assert!(told.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    async fn a_client_that_comes_back_hears_a_resumed_run_as_it_happens(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(hanging("I "));
        let mut turn = service.say("ada", "add milk", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("message.delta").await;
        service.kill().await;

        let gate = Gate::closed();
        provider.then(Answer::acts([
            Act::Send(said("I added ")), Act::Wait(gate.clone()), Act::Send(said("milk.")),
            Act::Send(finish("stop")),
        ]));
        let service = Process::start(&place, &provider.settings()).await;
        let mut turn = events(&service, &run, 0).await;
        let mut head = vec![turn.next().await.unwrap()];
        while head.last().unwrap().name != "message.delta" {
            head.push(turn.next().await.unwrap());
        }
        assert_eq!(
            names(&head),
            ["run.created", "tool.started", "tool.completed", "message.discarded", "message.delta"]
        );
        gate.open();
        assert_eq!(names(&turn.rest().await), ["message.delta", "message.completed", "run.completed"]);
        assert_eq!(titles(&service).await, ["milk"], "the call that was answered is not made again");
        assert_eq!(provider.requests().len(), 3);
    }

    async fn a_call_in_flight_is_made_again_under_its_key_and_the_turn_ends_well(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::calls(&[
            ("add_task", json!({"title": "milk"})), ("add_task", json!({"title": "bread"})),
        ]));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk and bread", None).await;
        let created = turn.until("run.created").await;
        let started = turn.until("tool.started").await;
        service.kill().await;

        provider.then(Answer::text(["Both are there."]));
        let service = Process::start(&place, &provider.settings()).await;
        let rest = events(&service, &run_of(&[created]), started.id).await.rest().await;
        assert_eq!(
            names(&rest),
            ["tool.completed", "tool.started", "tool.completed", "message.delta", "message.completed", "run.completed"]
        );
        assert_eq!((&rest[0].data["call_id"], &rest[0].data["status"]), (&started.data["call_id"], &json!("ok")));
        assert_eq!(rest[0].data["message_id"], started.data["message_id"]);
        assert_eq!(titles(&service).await.len(), 2);
    }

    async fn a_deploy_sets_a_run_aside_and_the_next_start_goes_on_with_it(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("SHUTDOWN_GRACE", "0.2")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(hanging("one "));
        let body = json!({"message": "count"});
        let mut turn = Turn::of(service.keyed("/api/ada/chat", "count", body.clone()).await);
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("message.delta").await;
        let plain = service.keyed("/api/ada/chat?format=text", "count", body.clone()).await;
        let waiting = json!({"message": "count", "stream": false});
        let (whole, ()) = tokio::join!(service.keyed("/api/ada/chat", "count", waiting), async {
            service.signal(Signal::TERM);
        });
        let ended = service.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        assert_eq!(turn.rest().await, [], "no end is told, because there is none");
        assert!(!turn.raw().contains("[DONE]"));
        assert!(plain.text().await.unwrap().contains("event: error"), "bare words must not look whole");
        let (status, code, whole) = problem(whole).await;
        assert_eq!((status, code.as_str()), (502, "interrupted"), "503 would say that nothing was accepted");
        assert_eq!(whole["run_id"], run);

        provider.then(Answer::text(["one two"]));
        let service = Process::start(&place, &settings).await;
        let again = service.keyed("/api/ada/chat", "count", body).await;
        assert_eq!(again.headers()["x-run-id"].to_str().unwrap(), run, "the same key finds the same run");
        assert_eq!(text(&Turn::of(again).rest().await), "one two");
    }

    async fn a_run_that_is_cut_short_again_and_again_ends_as_interrupted(place: Place) {
        let provider = Provider::start().await;
        provider.otherwise(hanging("Once upon"));
        let settings = [&provider.settings()[..], &[("RUN_MAX_ATTEMPTS", "2")]].concat();
        let service = Process::start(&place, &settings).await;
        let mut turn = service.say("ada", "tell me a story", None).await;
        let created = turn.until("run.created").await;
        let run = run_of(std::slice::from_ref(&created));
        turn.until("message.delta").await;
        service.kill().await;
        let service = Process::start(&place, &settings).await;
        let delta = events(&service, &run, 0).await.until("message.delta").await;
        assert!(delta.id > 10_000_001, "{}", delta.id);
        service.kill().await;

        let service = Process::start(&place, &settings).await;
        let rest = events(&service, &run, delta.id).await.rest().await;
        assert_eq!(data(&rest, "run.failed")["code"], "interrupted");
        assert!(rest.iter().all(|event| event.id > 20_000_000));
        provider.then(Answer::text(["Gladly."]));
        let next = service.say("ada", "again", Some(&conversation_of(&[created]))).await.rest().await;
        assert_eq!(text(&next), "Gladly.");
    }

    async fn a_run_whose_user_wanted_no_more_does_not_go_on(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"})));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("tool.started").await;
        // The cancel waits for the call in flight; that it is written down by then is seen in nothing but the database.
        let cancel = format!("/api/ada/runs/{run}/cancel");
        let cancelling = service.post(&cancel, json!({}));
        let killing = async {
            eventually("it is written down", || is_set(&place, &run, "cancel_requested_at")).await;
            service.signal(Signal::KILL);
        };
        let _ = tokio::join!(cancelling, killing);
        service.ended().await;

        let service = Process::start(&place, &provider.settings()).await;
        let stored = service.read(&format!("/api/ada/runs/{run}")).await;
        assert_eq!((&stored["status"], &stored["error"]), (&json!("cancelled"), &Value::Null));
        assert_eq!(provider.requests().len(), 1);
        assert_eq!(titles(&service).await, [] as [String; 0]);
    }

    async fn the_choice_of_tools_binds_the_first_reply_of_the_turn_whatever_attempt_gets_it(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(hanging("Well, "));
        let body = json!({"message": "add milk", "tool_choice": "required"});
        let mut turn = Turn::of(service.post("/api/ada/chat", body).await.unwrap());
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("message.delta").await;
        service.kill().await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(hanging("I "));
        let service = Process::start(&place, &provider.settings()).await;
        events(&service, &run, 0).await.until("message.delta").await;
        service.kill().await;
        provider.then(Answer::text(["I added milk."]));
        let service = Process::start(&place, &provider.settings()).await;
        assert_eq!(text(&events(&service, &run, 0).await.rest().await), "I added milk.");
        let requests = provider.requests();
        let is_bound: Vec<bool> = requests.iter().map(|request| request["tool_choice"] == "required").collect();
        assert_eq!(is_bound, [true, true, false, false]);
    }

    async fn when_the_first_word_came_is_not_forgotten_by_a_later_attempt(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(hanging("Once upon"));
        let run = run_of(&[service.say("ada", "tell me a story", None).await.until("run.created").await]);
        eventually("it is saved", || is_set(&place, &run, "first_delta_at")).await;
        let path = format!("/api/ada/runs/{run}");
        let first = service.read(&path).await["first_delta_at"].clone();
        service.kill().await;
        provider.then(hanging("There was"));
        let service = Process::start(&place, &provider.settings()).await;
        eventually("the next attempt saves too", || is_set(&place, &run, "partial_text")).await;
        assert_eq!(service.read(&path).await["first_delta_at"], first);
        service.kill().await;
        provider.then(Answer::text(["A king."]));
        let service = Process::start(&place, &provider.settings()).await;
        events(&service, &run, 0).await.until("run.completed").await;
        assert_eq!(service.read(&path).await["first_delta_at"], first);
    }

    async fn a_client_that_heard_more_than_is_stored_of_an_earlier_attempt_is_let_in(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(hanging("Once upon"));
        let mut turn = service.say("ada", "tell me a story", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        let heard = turn.until("message.delta").await;
        service.kill().await;
        // A version before this one did not say which message would come next: nothing can be withdrawn.
        unset(&place, &run, "partial_message_id").await;

        let gate = Gate::closed();
        provider.then(Answer::acts([Act::Wait(gate.clone()), Act::Send(said("A king.")), Act::Send(finish("stop"))]));
        let service = Process::start(&place, &provider.settings()).await;
        let response = service.get(&format!("/api/ada/runs/{run}/events?after={}", heard.id)).await;
        assert_eq!(response.status(), 200, "an id of an earlier attempt is always accepted");
        gate.open();
        let rest = Turn::of(response).rest().await;
        assert_eq!(names(&rest), ["message.delta", "message.completed", "run.completed"]);
        assert_eq!(rest[0].id, 10_000_001);
    }

    async fn a_run_that_was_set_aside_is_not_taken_for_one_that_lost_its_task(place: Place) {
        if matches!(place.engine, Engine::Sqlite) {
            return; // Readers cannot be held up there.
        }
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("SHUTDOWN_GRACE", "0")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(hanging("Once upon"));
        let mut turn = service.say("ada", "tell me a story", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        eventually("its text is saved", || is_set(&place, &run, "partial_text")).await;
        turn.until("message.delta").await;
        let mut lock = PgConnection::connect(&place.url.expose()).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE runs IN ACCESS EXCLUSIVE MODE").execute(&mut lock).await.unwrap();
        let other = tokio::sync::Mutex::new(PgConnection::connect(&place.url.expose()).await.unwrap());
        eventually("the reaper looks", || async { waits_for_a_lock(&mut *other.lock().await).await }).await;
        service.signal(Signal::TERM);
        assert_eq!(turn.rest().await, [], "it is set aside");
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
        assert_eq!(service.ended().await.code, Some(0));

        provider.then(Answer::text(["There was a king."]));
        let service = Process::start(&place, &settings).await;
        assert_eq!(text(&events(&service, &run, 0).await.rest().await), "There was a king.");
    }

    async fn a_stop_sets_no_run_aside_whose_user_wanted_no_more(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("SHUTDOWN_GRACE", "0")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"})));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("tool.started").await;
        let cancel = format!("/api/ada/runs/{run}/cancel");
        let stopping = async {
            eventually("it is written down", || is_set(&place, &run, "cancel_requested_at")).await;
            service.signal(Signal::TERM);
        };
        let _ = tokio::join!(service.post(&cancel, json!({})), stopping);
        assert_eq!(names(&turn.rest().await), ["tool.completed", "run.cancelled"]);
        assert_eq!(service.ended().await.code, Some(0));
    }
}
