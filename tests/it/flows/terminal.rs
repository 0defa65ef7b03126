//! `parlor chat` and the service, both as real processes: what a person at a terminal, or a pipe, gets to see.

mod trouble;

use parlor_db::{on_both, testing::Place};
use serde_json::json;

use crate::support::{
    eventually, migrations,
    process::Process,
    provider::{Act, Answer, Provider, call, finish, said},
    rows::is_set,
    script::Gate,
    terminal::{Shown, Terminal},
};

const DEMO: &str = "· No model is configured: the built-in demo answers.";

/// Returns the one conversation of Ada's that is under way, and its run.
async fn under_way(service: &Process) -> (String, String) {
    let conversation = service.read("/api/ada/conversations").await["data"][0].clone();
    let text = |name: &str| conversation[name].as_str().unwrap().to_owned();
    (text("id"), text("active_run_id"))
}

/// Kills the service once it has saved what the client shows, and starts another one at its port.
async fn killed_and_replaced(
    mut client: Terminal,
    service: Process,
    place: &Place,
    settings: &[(&str, &str)],
) -> (Process, Shown) {
    client.says("Once upon").await;
    let (_, run) = under_way(&service).await;
    eventually("the text is saved", || is_set(place, &run, "partial_text")).await;
    let port = service.base.rsplit(':').next().unwrap().to_owned();
    service.kill().await;
    client.notes("trying again\n").await;
    let service = Process::start(place, &[settings, &[("PORT", &port)]].concat()).await;
    (service, client.ended().await)
}

on_both! { migrations();
    async fn a_conversation_can_be_piped_and_its_steps_are_shown(place: Place) {
        let service = Process::start(&place, &[]).await;
        let mut client = Terminal::start(&service.base, &[]);
        for line in ["add buy milk and call mom", "", "what is on my list", "/new", "done 1", "/quit", "never said"] {
            client.types(line).await;
        }
        let shown = client.ended().await;
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let conversations = service.read("/api/ada/conversations").await["data"].clone();
        let ids: Vec<&str> = conversations.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        let notes = shown.notes.replace(ids[1], "(1)").replace(ids[0], "(2)");
        let notes: Vec<&str> = notes.lines().filter(|line| !line.contains("demo")).collect();
        assert_eq!(notes, [
            "· conversation (1)",
            r#"· add_task {"title":"buy milk"} … ok"#,
            r#"· add_task {"title":"call mom"} … ok"#,
            "· list_tasks {} … ok",
            "· conversation (2)",
            r#"· complete_task {"number":1} … ok"#,
        ]);
        assert!(shown.words.contains("buy milk") && shown.words.ends_with("Done! Completed “buy milk”.\n"), "{shown:?}");
        assert_eq!(shown.words.matches("2. [ ] call mom").count(), 1, "{shown:?}");
        assert_eq!(service.read("/api/ada/tasks").await["data"].as_array().unwrap().len(), 2);
    }

    async fn one_message_is_one_turn_whose_answer_alone_is_the_output(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["Hello ", "Ada."])).then(Answer::text(["Still here."]));
        let shown = Terminal::start(&service.base, &["hi", "there"]).ended().await;
        assert_eq!((shown.code, shown.words.as_str()), (Some(0), "Hello Ada.\n"));
        let id = service.read("/api/ada/conversations").await["data"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(shown.notes, format!("· conversation {id}\n"));
        let messages = service.read(&format!("/api/ada/conversations/{id}/messages")).await;
        assert_eq!(messages["data"][0]["content"], "hi there");
        let shown = Terminal::start(&service.base, &["--conversation", &id, "more"]).ended().await;
        assert_eq!((shown.code, shown.words.as_str(), shown.notes.as_str()), (Some(0), "Still here.\n", ""));
        provider.then(Answer::error(402, "{}"));
        let shown = Terminal::start(&service.base, &["--conversation", &id, "again"]).ended().await;
        assert_eq!((shown.code, shown.words.as_str()), (Some(1), ""));
        assert_eq!(shown.notes, "· failed: AI service unavailable. Please contact whoever runs this service.\n");
    }

    async fn words_are_shown_as_they_come_and_ctrl_c_stops_the_run(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([Act::Send(said("one ")), Act::Wait(gate)])).then(Answer::text(["Fine."]));
        let mut client = Terminal::start(&service.base, &[]);
        client.types("count").await;
        client.says("one ").await;
        let (id, run) = under_way(&service).await;
        client.interrupt();
        client.notes("· stopped; what was said is kept\n").await;
        assert_eq!(service.read(&format!("/api/ada/runs/{run}")).await["status"], "cancelled");
        client.types("go on").await;
        client.says("Fine.\n").await;
        client.types("/help").await;
        client.notes("Everything else is said.\n").await;
        client.interrupt();
        let shown = client.left().await;
        assert_eq!((shown.code, shown.words.as_str()), (Some(0), "one \nFine.\n"), "at the prompt it leaves");
        let stopping = "· stopping; Ctrl-C once more leaves\n· stopped; what was said is kept\n";
        assert!(shown.notes.starts_with(&format!("· conversation {id}\n{stopping}")), "{shown:?}");
    }

    async fn a_service_that_is_killed_in_mid_answer_is_waited_for_and_its_answer_begins_anew(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([Act::Send(said("Once upon")), Act::Hang])).then(Answer::text(["It was ", "once."]));
        let client = Terminal::start(&service.base, &["tell me a story"]);
        let (service, shown) = killed_and_replaced(client, service, &place, &provider.settings()).await;
        let words = "Once upon\n[withdrawn: what stands above does not count]\nIt was once.\n";
        assert_eq!((shown.code, shown.words.as_str()), (Some(0), words), "{shown:?}");
        let id = service.read("/api/ada/conversations").await["data"][0]["id"].as_str().unwrap().to_owned();
        let messages = service.read(&format!("/api/ada/conversations/{id}/messages")).await;
        let texts: Vec<_> = messages["data"].as_array().unwrap().iter().map(|one| one["content"].clone()).collect();
        assert_eq!(texts, ["tell me a story", "It was once."], "the message was sent once");
    }

    async fn an_answer_that_does_not_go_on_after_a_restart_is_said_to_be_interrupted(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("RUN_RECOVERY", "interrupt")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(Answer::acts([Act::Send(said("Once upon")), Act::Hang]));
        let client = Terminal::start(&service.base, &["tell me a story"]);
        let (_service, shown) = killed_and_replaced(client, service, &place, &settings).await;
        assert_eq!((shown.code, shown.words.as_str()), (Some(1), "Once upon\n"), "{shown:?}");
        assert!(shown.notes.ends_with("· failed: The answer was interrupted. Please try again.\n"), "{shown:?}");
    }

    async fn what_models_and_tools_say_cannot_command_the_terminal(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        let nasty = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
        provider
            .then(Answer::acts([
                Act::Send(said("Look: \u{1b}")),
                Act::Send(said("[2J\r\u{7}gone\u{9b}31m.")),
                Act::Send(call("delete_task", &json!({"title_contains": nasty}))),
                Act::Send(finish("tool_calls")),
            ]))
            .then(Answer::text(["\u{1b}", "c"]));
        let shown = Terminal::start(&service.base, &["do it"]).ended().await;
        assert_eq!((shown.code, shown.words.as_str()), (Some(0), "Look: �[2J�gone�31m.\n�c\n"));
        assert!(shown.notes.contains("… error: "), "the tool's words are shown: {shown:?}");
        let obeyed = |sign: char| sign.is_control() && sign != '\n' || sign == '\u{202e}';
        assert!(!shown.notes.contains(obeyed), "{shown:?}");
    }

    async fn a_token_comes_from_the_environment_or_from_a_file_and_a_bad_one_is_said_to_be(place: Place) {
        let secret = "0123456789abcdef0123456789abcdef";
        let tokens = [("AUTH_MODE", "jwt"), ("JWT_SECRET", secret)];
        let service = Process::start(&place, &tokens).await;
        let mut maker = crate::support::process::command(&place, &tokens);
        maker.args(["token", "ada"]);
        let (_, token) = crate::support::process::run_to_end(maker).await;
        let shown = Terminal::with(&service.base, &["hello"], [("PARLOR_TOKEN", token.trim())]).ended().await;
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let file = place.folder().join("token");
        std::fs::write(&file, &token).unwrap();
        let of_file = ["--token-file", file.to_str().unwrap(), "hello"];
        let shown = Terminal::with(&service.base, &of_file, [("PARLOR_TOKEN", "bad")]).ended().await;
        assert_eq!(shown.code, Some(0), "the file counts: {shown:?}");
        for environment in [vec![("PARLOR_TOKEN", "bad")], vec![("PARLOR_TOKEN", "")]] {
            let shown = Terminal::with(&service.base, &["hello"], environment).ended().await;
            assert_eq!((shown.code, shown.words.as_str()), (Some(1), ""), "{shown:?}");
            assert!(shown.notes.starts_with("parlor: the service answers 401: "), "{shown:?}");
        }
    }

    async fn a_conversation_that_is_not_there_is_said_to_be_before_anything_is_sent(place: Place) {
        let service = Process::start(&place, &[]).await;
        let absent = "01a9c1e0-0000-7000-8000-000000000001";
        for (id, said) in [(absent, "the service answers 404"), ("../ada", "the service answers 422")] {
            let shown = Terminal::start(&service.base, &["--conversation", id, "add tea"]).ended().await;
            assert_eq!(shown.code, Some(1), "{shown:?}");
            assert!(shown.notes.starts_with(&format!("parlor: {said}")), "{shown:?}");
        }
        assert_eq!(service.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn that_the_demo_answers_is_said_once(place: Place) {
        let service = Process::start(&place, &[]).await;
        let mut client = Terminal::start(&service.base, &[]);
        client.types("hello").await;
        client.types("hello").await;
        let shown = client.ended().await;
        assert_eq!(shown.notes.matches(DEMO).count(), 1, "{shown:?}");
    }
}
