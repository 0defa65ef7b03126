//! A real provider client against a provider on a socket: what is sent, what is made of what comes.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{conversation_of, problem},
    migrations,
    process::Process,
    provider::{Act, Answer, Provider, finish, said},
    stream::{data, names, text},
};

on_both! { migrations();
    async fn the_second_turn_replays_calls_and_answers_as_the_provider_wants_them(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Added ", "milk."]));
        let first = service.say("ada", "add milk", None).await.rest().await;
        assert_eq!(text(&first), "Added milk.");
        let usage = &data(&first, "run.completed")["usage"];
        assert_eq!((&usage["input_tokens"], &usage["model_calls"]), (&json!(22), &json!(2)));

        provider.then(Answer::text(["One task."]));
        service.say("ada", "how many?", Some(&conversation_of(&first))).await.rest().await;
        let requests = provider.requests();
        let roles: Vec<&Value> = requests[2]["messages"].as_array().unwrap().iter().map(|m| &m["role"]).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "user"]);
        let messages = &requests[2]["messages"];
        assert_eq!(messages[2]["tool_calls"][0]["id"], messages[3]["tool_call_id"]);
        assert_eq!(requests[1]["messages"].as_array().unwrap()[..4], messages.as_array().unwrap()[..4]);
        assert_eq!(provider.keys()[0], "Bearer sk-canary-5f1e");
    }

    async fn no_schema_that_a_model_sees_names_a_user(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["hi"]));
        service.say("ada", "hi", None).await.rest().await;
        let tools = provider.requests()[0]["tools"].to_string();
        assert!(tools.contains("add_task") && tools.contains("additionalProperties"), "{tools}");
        for word in ["user_id", "owner", "tenant", "_meta", "ada"] {
            assert!(!tools.contains(word), "{word} is in {tools}");
        }
    }

    async fn our_tools_can_be_offered_strictly_and_the_nulls_that_fill_gaps_are_no_arguments(place: Place) {
        let provider = Provider::start().await;
        let quirks = [("LLM_QUIRKS", "custom schema=openai-strict")];
        let service = Process::start(&place, &[&provider.settings()[..], &quirks].concat()).await;
        let choice = |number: u32| json!({"number": number, "title_contains": null});
        let and = |mut choice: Value, more: Value| {
            choice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            choice
        };
        let edits = json!({"title": "oat milk", "description": null, "priority": null, "status": null});
        provider
            .then(Answer::call("add_task", &json!({"title": "milk", "description": null, "priority": null})))
            .then(Answer::call("update_task", &and(choice(1), edits)))
            .then(Answer::call("set_priority", &and(choice(1), json!({"priority": "high"}))))
            .then(Answer::call("complete_task", &choice(1)))
            .then(Answer::call("list_tasks", &json!({"status": null, "priority": null, "search": null, "limit": null, "after": null})))
            .then(Answer::call("delete_task", &choice(1)))
            .then(Answer::text(["Done."]));
        let events = service.say("ada", "go", None).await.rest().await;
        let answers = events.iter().filter(|event| event.name == "tool.completed");
        let statuses: Vec<&Value> = answers.map(|event| &event.data["status"]).collect();
        assert_eq!(statuses, ["ok"; 6], "{events:?}");
        let tools = provider.requests()[0]["tools"].as_array().unwrap().clone();
        assert_eq!(tools.len(), 6);
        for function in tools.iter().map(|tool| &tool["function"]) {
            let parameters = &function["parameters"];
            let fields = parameters["properties"].as_object().unwrap().len();
            assert_eq!((&function["strict"], parameters["required"].as_array().unwrap().len()), (&json!(true), fields));
            assert_eq!(parameters["additionalProperties"], false);
        }
    }

    async fn a_server_of_ones_own_gets_the_headers_and_fields_that_it_wants(place: Place) {
        let provider = Provider::start().await;
        let extras = [("LLM_EXTRA_HEADERS", "authorization: ApiKey abc"), ("LLM_EXTRA_BODY", r#"{"temperature": 0.5}"#)];
        let settings = provider.settings().into_iter().filter(|(name, _)| *name != "LLM_API_KEY").chain(extras);
        let service = Process::start(&place, &settings.collect::<Vec<_>>()).await;
        provider.then(Answer::text(["hi"]));
        service.say("ada", "hi", None).await.rest().await;
        assert_eq!((&provider.requests()[0]["temperature"], provider.keys()[0].as_str()), (&json!(0.5), "ApiKey abc"));
    }

    async fn what_a_provider_refuses_is_a_problem_of_its_own_in_json(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        let secret = r#"{"error":{"message":"bad key sk-canary-5f1e","code":"x"}}"#;
        let table = [
            (401, secret, 502, "model_auth"),
            (402, secret, 502, "model_quota"),
            (404, "<html>no such page sk-canary-5f1e</html>", 502, "model_not_found"),
            (429, secret, 502, "model_rate_limited"),
            (500, "sk-canary-5f1e", 502, "model_upstream"),
            (400, secret, 502, "model_invalid_request"),
        ];
        for (status, body, expected, code) in table {
            provider.otherwise(Answer::error(status, body));
            let response = service.post("/api/ada/chat", json!({"message": "hi", "stream": false})).await.unwrap();
            let (status, found, body) = problem(response).await;
            assert_eq!((status, found.as_str()), (expected, code));
            assert!(!body.to_string().contains("canary"), "{body}");
        }
        provider.otherwise(Answer::text(["still here"]));
        let events = service.say("ada", "hi", None).await.rest().await;
        assert_eq!(text(&events), "still here");
        let ended = service.terminate().await;
        assert!(!ended.log.contains("sk-canary-5f1e"), "the key is in the log");
    }

    async fn an_answer_that_breaks_off_is_kept_as_far_as_it_came(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([Act::Send(said("Half of")), Act::Send(said(" it"))]));
        let events = service.say("ada", "tell me", None).await.rest().await;
        assert_eq!(data(&events, "run.failed")["code"], "model_stream_lost");
        assert_eq!(data(&events, "message.completed")["content"], "Half of it");
        assert_eq!(data(&events, "message.completed")["incomplete"], true);
        provider.then(Answer::text(["Whole."]));
        let next = service.say("ada", "again", Some(&conversation_of(&events))).await.rest().await;
        assert_eq!(text(&next), "Whole.");
    }

    async fn a_provider_that_falls_silent_is_given_up(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("LLM_IDLE_TIMEOUT", "0.3"), ("LLM_FIRST_TOKEN_TIMEOUT", "0.3")]];
        let service = Process::start(&place, &settings.concat()).await;
        provider.then(Answer::acts([Act::Hang])).then(Answer::acts([Act::Send(said("Well")), Act::Hang]));
        for _ in 0..2 {
            let events = service.say("ada", "hello?", None).await.rest().await;
            assert_eq!(data(&events, "run.failed")["code"], "model_timeout");
        }
    }

    async fn a_provider_that_cannot_be_reached_is_an_upstream_failure(place: Place) {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", closed.local_addr().unwrap());
        drop(closed);
        let settings = [("LLM_PROVIDER", "custom"), ("LLM_BASE_URL", url.as_str()), ("LLM_MODEL", "m")];
        let service = Process::start(&place, &settings).await;
        let events = service.say("ada", "hello?", None).await.rest().await;
        assert_eq!(names(&events), ["run.created", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "model_upstream");
    }

    async fn a_flood_of_text_is_cut_at_a_mebibyte(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        let kilobyte = said(&"x".repeat(1024));
        let mut flood = vec![Act::Send(kilobyte); 8 * 1024];
        flood.push(Act::Send(finish("stop")));
        provider.then(Answer::acts(flood));
        let events = service.say("ada", "go on for ever", None).await.rest().await;
        assert_eq!(names(&events).last(), Some(&"run.completed"));
        let whole = data(&events, "message.completed");
        assert_eq!((whole["content"].as_str().unwrap().len(), &whole["incomplete"]), (1024 * 1024, &json!(true)));
        assert_eq!(data(&events, "notice")["code"], "reply_truncated");
    }
}
