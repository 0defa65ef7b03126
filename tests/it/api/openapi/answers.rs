//! What the service answers is what the description says.

use parlor_db::on_both;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    description::{Description, Operation},
    migrations,
    script::{Step, asks, says},
    stream::Turn,
};

/// What exists: a conversation whose turn called tools, its run, and a task.
struct Made {
    conversation: String,
    run: String,
}

impl Made {
    fn path(&self, operation: &Operation<'_>) -> String {
        let path =
            operation.path.replace("{user_id}", "local").replace("{conversation_id}", &self.conversation);
        let path = path.replace("{run_id}", &self.run).replace("{number}", "1");
        path.replace("/docs/{file}", "/docs/start.js").replace("{file}", "main.js")
    }
}

/// Lets the user have a turn in which one call works and one does not.
async fn make(app: &TestApp) -> Made {
    app.model.then(asks([("add_task", json!({"title": "Milk"})), ("complete_task", json!({"number": 99}))]));
    app.model.then(says(["I added ", "milk."]));
    let turn = app.chat_json("local", json!({"message": "add milk"})).await;
    let text = |field: &str| turn[field].as_str().unwrap().to_owned();
    Made { conversation: text("conversation_id"), run: text("run_id") }
}

async fn read(response: Response) -> (u16, String, String) {
    let content_type =
        response.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status().as_u16(), content_type, response.text().await.unwrap())
}

async fn send(
    app: &TestApp,
    operation: &Operation<'_>,
    path: &str,
    accept: &str,
    body: Option<&Value>,
) -> Response {
    let method: Method = operation.method.parse().unwrap();
    let mut headers = vec![("accept", accept)];
    headers.extend(body.map(|_| ("content-type", "application/json")));
    app.send(method, path, &headers, body.map(Value::to_string).unwrap_or_default()).await
}

/// Everything that can be asked, reading before changing and changing before deleting.
fn in_order(description: &Description) -> Vec<Operation<'_>> {
    let order = ["GET", "POST", "PATCH", "DELETE"];
    let mut all = description.operations();
    all.sort_by_key(|operation| order.iter().position(|method| *method == operation.method));
    all
}

on_both! { migrations();
    async fn every_example_of_a_request_works_and_every_answer_fits(place: Place) {
        let app = TestApp::start(&place).await;
        let (description, made) = (Description::read(), make(&app).await);
        let (mut faults, mut sent) = (Vec::new(), 0);
        for operation in in_order(&description) {
            let bodies: Vec<Option<Value>> = match operation.bodies() {
                bodies if bodies.is_empty() => vec![None],
                bodies => bodies.into_iter().map(Some).collect(),
            };
            for body in bodies {
                for accept in ["application/json", "text/event-stream", "text/plain"] {
                    if ["chat", "retry"].contains(&operation.id) {
                        app.model.then(says(["Hello"]));
                    } else if accept != "application/json" {
                        continue;
                    }
                    let response = send(&app, &operation, &made.path(&operation), accept, body.as_ref()).await;
                    let (status, content_type, answer) = read(response).await;
                    assert!(status < 300, "{} {body:?}: {status} {answer}", operation.id);
                    faults.extend(description.faults(&operation, status, &content_type, &answer));
                    sent += 1;
                }
            }
        }
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        assert!(sent >= 28, "{sent} requests were sent");
    }

    async fn a_turn_with_tools_fits_in_every_shape(place: Place) {
        let app = TestApp::start(&place).await;
        let (description, made) = (Description::read(), make(&app).await);
        let path = |rest: &str| format!("/api/local/{rest}");
        let messages = app.read(&path(&format!("conversations/{}/messages", made.conversation))).await;
        let roles: Vec<&str> =
            messages["data"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant"]);
        let mut faults = description.faults_as("Page_Message", &messages);
        faults.extend(description.faults_as("Run", &app.read(&path(&format!("runs/{}", made.run))).await));
        faults.extend(description.faults_as("Page_Task", &app.read(&path("tasks")).await));
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }

    async fn every_event_of_a_stream_fits(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Done", "."]));
        let mut events = app.ask("local", "add milk").await;
        app.model.then([Step::Say("Half".into()), Step::Fail(parlor::domain::ModelErrorKind::Upstream)]);
        events.extend(app.ask("local", "fail").await);
        app.model.then([Step::Say("Long".into()), Step::RunOut]);
        events.extend(app.ask("local", "go on").await);
        app.model.then([Step::Say("Wait".into()), Step::Hang]);
        let mut turn = app.say("local", "wait").await;
        turn.until("message.delta").await;
        let id = app.read("/api/local/conversations?limit=1").await["data"][0]["active_run_id"].as_str().unwrap().to_owned();
        app.post(&format!("/api/local/runs/{id}/cancel"), Value::Null).await;
        events.extend(turn.rest().await);
        let mut names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let expected = [
            "message.completed", "message.delta", "notice", "run.cancelled", "run.completed", "run.created",
            "run.failed", "tool.completed", "tool.started",
        ];
        assert_eq!(names, expected);
        for event in events {
            let value = json!({"id": event.id, "event": event.name, "data": event.data});
            let faults = description.faults_as("Event", &value);
            assert!(faults.is_empty(), "{value}\n{}", faults.join("\n"));
        }
    }

    async fn a_refusal_has_a_code_that_is_described_there(place: Place) {
        let app = TestApp::start(&place).await;
        let (description, made) = (Description::read(), make(&app).await);
        app.model.then([Step::Fail(parlor::domain::ModelErrorKind::Upstream)]);
        let absent = uuid::Uuid::now_v7().to_string();
        let hello = json!({"message": "hi"});
        let table: [(&str, String, Option<Value>, u16); 7] = [
            ("chat", "/api/local/chat".into(), Some(hello), 502),
            ("chat", "/api/local/chat".into(), Some(json!({})), 422),
            ("chat", "/api/local/chat".into(), None, 415),
            ("read_run", format!("/api/local/runs/{absent}"), None, 404),
            ("run_events", format!("/api/local/runs/{}/events?after=999", made.run), None, 400),
            ("list_tasks", "/api/local/tasks?search=%".into(), None, 400),
            ("edit_conversation", format!("/api/local/conversations/{absent}"), Some(json!({"title": "T"})), 404),
        ];
        for (id, path, body, expected) in table {
            let operations = description.operations();
            let operation = operations.iter().find(|operation| operation.id == id).unwrap();
            let accept = "application/json";
            let (status, content_type, answer) = read(send(&app, operation, &path, accept, body.as_ref()).await).await;
            assert_eq!(status, expected, "{path} {answer}");
            let faults = description.faults(operation, status, &content_type, &answer);
            assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        }
    }

    async fn an_empty_parameter_of_a_query_is_none(place: Place) {
        let app = TestApp::start(&place).await;
        let (description, made, mut tried) = (Description::read(), make(&app).await, 0);
        for operation in description.operations().iter().filter(|operation| operation.method == "GET") {
            let parameters = operation.described["parameters"].as_array().unwrap().iter();
            for parameter in parameters.map(|parameter| description.resolved(parameter)) {
                if parameter["in"] != "query" {
                    continue;
                }
                assert_eq!(parameter["allowEmptyValue"], true, "{parameter}");
                let path = format!("{}?{}=", made.path(operation), parameter["name"].as_str().unwrap());
                assert_eq!(app.get(&path).await.status(), 200, "{path}");
                tried += 1;
            }
        }
        assert_eq!(tried, 2 + 4 + 5 + 1, "of conversations, messages, tasks and events");
    }

    async fn the_stream_of_a_finished_run_fits_too(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        let made = make(&app).await;
        let mut turn = Turn::of(app.get(&format!("/api/local/runs/{}/events", made.run)).await);
        for event in turn.rest().await {
            let value = json!({"id": event.id, "event": event.name, "data": event.data});
            assert_eq!(description.faults_as("Event", &value), [""; 0]);
        }
    }
}
