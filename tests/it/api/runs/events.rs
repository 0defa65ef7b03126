//! The events of a run that is over: told again from any point, from memory or from storage.

use parlor::domain::ModelErrorKind;
use parlor_db::on_both;
use reqwest::Method;

use super::{add_and_say, follow};
use crate::support::{
    app::{TestApp, problem, run_of},
    migrations,
    script::{Step, says},
    stream::{Event, names},
};

on_both! { migrations();
    async fn a_finished_run_is_told_again_byte_for_byte(place: Place) {
        let app = TestApp::start(&place).await;
        add_and_say(&app);
        let mut first = app.say("ada", "milk").await;
        let run = run_of(&first.rest().await);
        let mut again = follow(&app, &run, "", &[]).await;
        again.rest().await;
        assert_eq!(again.raw(), first.raw());
    }

    async fn what_was_read_and_what_follows_make_the_whole(place: Place) {
        let app = TestApp::start(&place).await;
        add_and_say(&app);
        let whole = app.ask("ada", "milk").await;
        let run = run_of(&whole);
        assert_eq!(follow(&app, &run, "?after=0", &[]).await.rest().await, whole);
        for cut in 1..whole.len() {
            let seen = whole[cut - 1].id.to_string();
            for mut turn in [
                follow(&app, &run, &format!("?after={seen}"), &[]).await,
                follow(&app, &run, "", &[("last-event-id", &seen)]).await,
                follow(&app, &run, "?after=0", &[("last-event-id", &seen)]).await,
                follow(&app, &run, "?after=nonsense", &[("last-event-id", &seen)]).await,
            ] {
                assert_eq!([&whole[..cut], &turn.rest().await].concat(), whole);
                assert!(
                    turn.raw().starts_with("retry: 1000\n\n") && turn.raw().ends_with("data: [DONE]\n\n")
                );
            }
        }
    }

    async fn after_the_end_there_is_nothing(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let events = app.ask("ada", "hi").await;
        let (run, last) = (run_of(&events), events.last().unwrap().id);
        let path = format!("/api/ada/runs/{run}/events?after={last}");
        let live = app.get(&path).await;
        let stored = app.restart(&place).await.get(&path).await;
        for response in [live, stored] {
            assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (204, 0));
        }
    }

    async fn an_id_that_no_event_has_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let events = app.ask("ada", "hi").await;
        let (run, beyond) = (run_of(&events), (events.last().unwrap().id + 1).to_string());
        let path = format!("/api/ada/runs/{run}/events");
        let refuses = async |app: &TestApp| {
            for id in ["x", "-1", "1.5", "%2B1", "99999999999999999999", "10000001", beyond.as_str()] {
                for response in [
                    app.get(&format!("{path}?after={id}")).await,
                    app.send(Method::GET, &path, &[("last-event-id", id)], "").await,
                    app.send(Method::GET, &format!("{path}?after=1"), &[("last-event-id", id)], "").await,
                ] {
                    let (status, code, _) = problem(response).await;
                    assert_eq!((status, code.as_str()), (400, "invalid_header"), "{id}");
                }
            }
        };
        refuses(&app).await;
        refuses(&app.restart(&place).await).await;
    }

    async fn after_a_restart_storage_tells_the_same_without_what_was_never_stored(place: Place) {
        let app = TestApp::start(&place).await;
        add_and_say(&app);
        app.model
            .then([Step::Say("Cut".into()), Step::RunOut])
            .then([Step::Say("Half".into()), Step::Fail(ModelErrorKind::Upstream)]);
        let mut tellings = Vec::new();
        for message in ["milk", "tell", "fail"] {
            tellings.push(app.ask("ada", message).await);
        }
        let app = app.restart(&place).await;
        for whole in tellings {
            let is_stored = |event: &&Event| event.name != "message.delta" && event.name != "notice";
            let stored: Vec<Event> = whole.iter().filter(is_stored).cloned().collect();
            let run = run_of(&whole);
            assert_eq!(follow(&app, &run, "", &[]).await.rest().await, stored, "{:?}", names(&whole));
            for seen in &whole[..whole.len() - 1] {
                let tail = follow(&app, &run, &format!("?after={}", seen.id), &[]).await.rest().await;
                let expected: Vec<Event> =
                    stored.iter().filter(|event| event.id > seen.id).cloned().collect();
                assert_eq!(tail, expected);
            }
        }
    }
}
