//! Following a run that is under way, from several places and after hanging up.

use parlor_db::on_both;
use serde_json::json;

use super::follow;
use crate::support::{
    app::{TestApp, problem},
    eventually, migrations,
    script::{Gate, Step},
    stream::text,
};

/// Says a word, waits for the gate, and says two more.
fn count(gate: &Gate) -> [Step; 4] {
    [Step::Say("one ".into()), Step::Wait(gate.clone()), Step::Say("two ".into()), Step::Say("three".into())]
}

on_both! { migrations();
    async fn two_viewers_hear_the_same(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then(count(&gate));
        let mut first = app.say("ada", "count").await;
        let created = first.until("run.created").await;
        let run = created.data["run_id"].as_str().unwrap();
        let mut second = follow(&app, run, "", &[]).await;
        let mut third = follow(&app, run, "?after=1", &[]).await;
        gate.open();
        let rest = first.rest().await;
        assert_eq!(third.rest().await, rest);
        assert_eq!(second.rest().await, [vec![created], rest].concat());
        assert_eq!(second.raw(), first.raw());
    }

    async fn a_client_that_reconnects_misses_nothing_and_hears_nothing_twice(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then(count(&gate));
        let mut turn = app.say("ada", "count").await;
        let head = [turn.until("run.created").await, turn.until("message.delta").await];
        drop(turn);
        let run = head[0].data["run_id"].as_str().unwrap().to_owned();
        let seen = head[1].id.to_string();
        let mut again = follow(&app, &run, "", &[("last-event-id", &seen)]).await;
        gate.open();
        let whole = [&head[..], &again.rest().await].concat();
        assert_eq!(text(&whole), "one two three");
        assert_eq!(whole.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=6).collect::<Vec<_>>());
    }

    async fn hanging_up_changes_nothing(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then(count(&gate));
        let mut turn = app.say("ada", "count").await;
        let created = turn.until("run.created").await.data;
        turn.until("message.delta").await;
        drop(turn);
        gate.open();
        let path = format!("/api/ada/runs/{}", created["run_id"].as_str().unwrap());
        let run = eventually("the run ends", || async {
            Some(app.read(&path).await).filter(|run| run["status"] != "running")
        })
        .await;
        assert_eq!(run["status"], "completed");
        let messages = app.messages("ada", created["conversation_id"].as_str().unwrap()).await;
        assert_eq!(
            (&messages[1]["content"], &messages[1]["incomplete"]),
            (&json!("one two three"), &json!(false))
        );
    }

    async fn a_run_under_way_knows_what_lies_beyond(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then(count(&gate));
        let mut turn = app.say("ada", "count").await;
        let run = turn.until("run.created").await.data["run_id"].as_str().unwrap().to_owned();
        let newest = turn.until("message.delta").await.id;
        let beyond = format!("/api/ada/runs/{run}/events?after={}", newest + 1);
        let (status, code, _) = problem(app.get(&beyond).await).await;
        assert_eq!((status, code.as_str()), (400, "invalid_header"));
        let mut late = follow(&app, &run, &format!("?after={newest}"), &[]).await;
        gate.open();
        assert_eq!(text(&late.rest().await), "two three");
    }
}
