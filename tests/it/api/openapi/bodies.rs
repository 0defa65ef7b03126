//! What is described of a request's body is what the service reads, no more and no less.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, problem},
    description::{Description, Operation, object},
    migrations,
};

/// Returns the fields that a body can have, with what is said of them.
fn fields<'a>(description: &'a Description, operation: &'a Operation<'_>) -> Vec<(&'a String, &'a Value)> {
    let schema = &operation.described["requestBody"]["content"]["application/json"]["schema"];
    object(&description.resolved(schema)["properties"]).iter().collect()
}

/// Lists what takes a body of ours. That of ChatKit is not: its strangers are passed over, its parameters are its own.
fn with_body(description: &Description) -> Vec<Operation<'_>> {
    let is_ours = |operation: &Operation<'_>| !operation.path.ends_with("/chatkit");
    let operations = description.operations().into_iter().filter(is_ours);
    operations.filter(|operation| !operation.bodies().is_empty()).collect()
}

/// Sends a body that must be refused and returns the first field that is named.
async fn refused(app: &TestApp, operation: &Operation<'_>, body: &Value) -> String {
    let absent = uuid::Uuid::now_v7().to_string();
    let path = operation
        .path
        .replace("{user_id}", "local")
        .replace("{conversation_id}", &absent)
        .replace("{number}", "1");
    let method: Method = operation.method.parse().unwrap();
    let response = app.send(method, &path, &[("content-type", "application/json")], body.to_string()).await;
    let (status, _, answer) = problem(response).await;
    assert_eq!(status, 422, "{} {body}", operation.id);
    answer["errors"][0]["field"].as_str().unwrap().to_owned()
}

on_both! { migrations();
    async fn a_field_that_is_not_described_is_refused(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        for operation in with_body(&description) {
            let mut body = operation.bodies().remove(0);
            body["stranger"] = json!("x");
            assert!(!description.faults_at(&operation.body_schema(), &body).is_empty(), "{body}");
            assert_eq!(refused(&app, &operation, &body).await, "stranger");
        }
    }

    async fn every_field_that_is_described_is_read_and_must_be_what_is_said(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        let mut tried = 0;
        for operation in with_body(&description) {
            for (field, _) in fields(&description, &operation) {
                for wrong in [json!([["x"]]), json!("\0")] {
                    let mut body = operation.bodies().remove(0);
                    body[field] = wrong;
                    assert!(!description.faults_at(&operation.body_schema(), &body).is_empty(), "{body}");
                    assert_eq!(refused(&app, &operation, &body).await, *field);
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 2 * (8 + 3 + 1 + 1 + 3 + 4));
    }

    async fn a_limit_that_is_described_is_the_one_that_holds(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        for operation in with_body(&description) {
            for (field, said) in fields(&description, &operation) {
                let Some(longest) = said["maxLength"].as_u64() else { continue };
                let mut body = operation.bodies().remove(0);
                body[field] = "ñ".repeat(usize::try_from(longest).unwrap()).into();
                assert_eq!(description.faults_at(&operation.body_schema(), &body), [""; 0]);
                body[field] = "ñ".repeat(usize::try_from(longest).unwrap() + 1).into();
                assert!(!description.faults_at(&operation.body_schema(), &body).is_empty());
                assert_eq!(refused(&app, &operation, &body).await, *field);
            }
        }
    }

    async fn white_space_around_a_title_is_described_as_it_is_read(place: Place) {
        let (app, description) = (TestApp::start(&place).await, Description::read());
        let longest = "ñ".repeat(200);
        let good = ["x", "\tx y\n", "\u{85}\u{3000}x\u{a0}", &format!(" {longest}\r\n"), "x\u{200b}"];
        let bad = ["", " \n\u{2003}", "a\tb", "\u{1c}a", "a\u{0}", &format!("{longest}ñ"), "a\u{9f}"];
        let post = |title: &str| (json!({"title": title}), "/api/local/conversations");
        for (title, status) in good.iter().map(|title| (title, 201)).chain(bad.iter().map(|title| (title, 422))) {
            let (body, path) = post(title);
            let faults = description.faults_as("NewConversation", &body);
            assert_eq!(faults.is_empty(), status == 201, "{title:?} {faults:?}");
            assert_eq!(app.post(path, body).await.status(), status, "{title:?}");
        }
    }
}
