//! `AUTH_MODE=jwt` seen from outside: who is let in where, and what the others hear.

mod browsers;
mod expiry;
mod headers;
mod process;
mod tenants;

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use parlor::{
    auth,
    config::{Jwt, JwtKeys},
    domain::UserId,
    http::{Route, routes},
};
use parlor_db::{on_both, testing::Place};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, problem},
    migrations,
    script::says,
};

const SECRET: &str = "jwt-canary-0123456789-0123456789-0123";

/// A route with a body that it takes, and what its own user gets with ids that exist.
struct Case {
    route: Route,
    body: Option<Value>,
    own: u16,
}

/// Every route, in an order in which each finds what it needs.
fn cases() -> Vec<Case> {
    let case = |method, path, body, own| Case { route: Route { method, path }, body, own };
    let conversation = "/api/{user_id}/conversations/{conversation_id}";
    vec![
        case("GET", "/", None, 200),
        case("GET", "/web/{file}", None, 200),
        case("GET", "/chatkit-demo", None, 200),
        case("GET", "/health/live", None, 200),
        case("GET", "/health/ready", None, 200),
        case("GET", "/openapi.json", None, 200),
        case("GET", "/docs", None, 200),
        case("GET", "/docs/{file}", None, 200),
        case("POST", "/api/{user_id}/chat", Some(json!({"message": "hi"})), 200),
        case("GET", "/api/{user_id}/conversations", None, 200),
        case("POST", "/api/{user_id}/conversations", Some(json!({})), 201),
        case("GET", conversation, None, 200),
        case("PATCH", conversation, Some(json!({"title": "T"})), 200),
        case("GET", "/api/{user_id}/conversations/{conversation_id}/messages", None, 200),
        case("POST", "/api/{user_id}/conversations/{conversation_id}/retry", Some(json!({})), 200),
        case("GET", "/api/{user_id}/runs/{run_id}", None, 200),
        case("GET", "/api/{user_id}/runs/{run_id}/events", None, 200),
        case("POST", "/api/{user_id}/runs/{run_id}/cancel", None, 200),
        case("GET", "/api/{user_id}/tasks", None, 200),
        case("POST", "/api/{user_id}/tasks", Some(json!({"title": "Bread"})), 201),
        case("GET", "/api/{user_id}/tasks/{number}", None, 200),
        case("PATCH", "/api/{user_id}/tasks/{number}", Some(json!({"title": "Oat"})), 200),
        case("DELETE", "/api/{user_id}/tasks/{number}", None, 204),
        case("POST", "/chatkit", Some(json!({"type": "threads.list"})), 200),
        case("POST", "/api/{user_id}/chatkit", Some(json!({"type": "threads.list"})), 200),
        case("DELETE", conversation, None, 204),
    ]
}

/// Makes a token for a user.
fn token(user: &str) -> String {
    token_from(user, Utc::now())
}

/// Makes a token that is good for five minutes from a time on.
fn token_from(user: &str, now: DateTime<Utc>) -> String {
    let settings = Jwt { keys: JwtKeys::Secret(SECRET.into()), issuer: None, audience: None };
    auth::issue(&settings, &UserId::parse(user).unwrap(), now, TimeDelta::minutes(5)).unwrap()
}

async fn start(place: &Place) -> TestApp {
    TestApp::start_with(place, &[("AUTH_MODE", "jwt"), ("JWT_SECRET", SECRET)]).await
}

/// What exists: a conversation, its run, and a task.
struct Ids {
    conversation: String,
    run: String,
    number: String,
}

impl Ids {
    /// Ids that nothing has.
    fn absent() -> Self {
        let id = uuid::Uuid::now_v7().to_string();
        Self { conversation: id.clone(), run: id, number: "999".into() }
    }

    fn path(&self, route: Route, user: &str) -> String {
        let path = route.path.replace("{user_id}", user).replace("{conversation_id}", &self.conversation);
        let path = path.replace("{run_id}", &self.run).replace("{number}", &self.number);
        path.replace("/docs/{file}", "/docs/start.js").replace("{file}", "main.js")
    }
}

async fn send(app: &TestApp, case: &Case, path: &str, token: Option<&str>) -> Response {
    send_as(app, case.route.method.parse().unwrap(), path, case.body.clone(), token).await
}

async fn send_as(
    app: &TestApp,
    method: Method,
    path: &str,
    body: Option<Value>,
    token: Option<&str>,
) -> Response {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("accept", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    headers.extend(body.as_ref().map(|_| ("content-type", "application/json")));
    let body = body.as_ref().map(Value::to_string).unwrap_or_default();
    app.send(method, path, &headers, body).await
}

/// Lets a user say something and add a task.
async fn made_by(app: &TestApp, user: &str) -> Ids {
    app.model.then(says(["Hello"]));
    let post = |path: &'static str, body| {
        let case = Case { route: Route { method: "POST", path }, body: Some(body), own: 0 };
        async move { send(app, &case, &case.route.path.replace("{user_id}", user), Some(&token(user))).await }
    };
    let turn: Value = post("/api/{user_id}/chat", json!({"message": "hi"})).await.json().await.unwrap();
    let task: Value = post("/api/{user_id}/tasks", json!({"title": "Milk"})).await.json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (conversation, run) = (text(&turn["conversation_id"]), text(&turn["run_id"]));
    Ids { conversation, run, number: task["number"].to_string() }
}

/// A problem without what differs from request to request.
async fn body_of(response: Response) -> (u16, Value) {
    let (status, _, mut body) = problem(response).await;
    body["request_id"] = Value::Null;
    (status, body)
}

#[test]
fn the_cases_are_all_the_routes_there_are() {
    let cases: HashSet<Route> = cases().into_iter().map(|case| case.route).collect();
    assert_eq!(cases, routes().into_iter().collect());
}

on_both! { migrations();
    async fn every_route_lets_in_its_own_user_and_nobody_else(place: Place) {
        let app = start(&place).await;
        let ids = made_by(&app, "ada").await;
        let bad = format!("{}x", token("ada"));
        for case in cases() {
            let (path, name) = (ids.path(case.route, "ada"), format!("{:?}", case.route));
            let names_a_user = case.route.path.starts_with("/api/");
            if names_a_user || case.route.path == "/chatkit" {
                let nobody = send(&app, &case, &path, None).await;
                assert_eq!(nobody.headers()["www-authenticate"], "Bearer", "{name}");
                let forger = send(&app, &case, &path, Some(&bad)).await;
                assert_eq!(forger.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{name}");
                let (nobody, forger) = (body_of(nobody).await, body_of(forger).await);
                assert_eq!((nobody.0, &nobody.1["code"]), (401, &json!("unauthenticated")), "{name}");
                assert_eq!(nobody, forger, "{name}");
            } else {
                assert_eq!(send(&app, &case, &path, None).await.status(), 200, "{name}");
            }
            if names_a_user {
                let (status, body) = body_of(send(&app, &case, &path, Some(&token("bob"))).await).await;
                assert_eq!((status, &body["code"]), (403, &json!("forbidden")), "{name}");
            }
            app.model.then(says(["Hello"]));
            assert_eq!(send(&app, &case, &path, Some(&token("ada"))).await.status(), case.own, "{name}");
        }
    }

    async fn what_is_another_users_is_as_good_as_absent(place: Place) {
        let app = start(&place).await;
        let (of_ada, absent) = (made_by(&app, "ada").await, Ids::absent());
        let mut compared = 0;
        for case in cases().iter().filter(|case| case.route.path.matches('{').count() > 1) {
            let bob = token("bob");
            let foreign = body_of(send(&app, case, &of_ada.path(case.route, "bob"), Some(&bob)).await).await;
            let absent = body_of(send(&app, case, &absent.path(case.route, "bob"), Some(&bob)).await).await;
            assert_eq!(foreign.0, 404, "{:?}", case.route);
            assert_eq!(foreign, absent, "{:?}", case.route);
            compared += 1;
        }
        assert_eq!(compared, 11);
    }

    async fn whoever_is_not_let_in_hears_nothing_else(place: Place) {
        let app = start(&place).await;
        let bob = format!("Bearer {}", token("bob"));
        for path in ["/api/ada/conversations/no-uuid", "/api/ada/conversations?limit=0", "/api/-/tasks/x"] {
            let (status, _, _) = problem(app.send(Method::GET, path, &[], "").await).await;
            assert_eq!(status, 401, "{path}");
            let (status, _, _) =
                problem(app.send(Method::GET, path, &[("authorization", bob.as_str())], "").await).await;
            assert_eq!(status, 403, "{path}");
        }
        let large = "x".repeat(300_000);
        assert_eq!(app.send(Method::POST, "/api/ada/chat", &[], large).await.status(), 401);
    }

    async fn a_user_id_may_hold_what_identity_providers_put_in(place: Place) {
        let app = start(&place).await;
        let bearer = format!("Bearer {}", token("auth0|65f"));
        for path in ["/api/auth0|65f/conversations", "/api/auth0%7C65f/conversations"] {
            let response = app.send(Method::GET, path, &[("authorization", bearer.as_str())], "").await;
            assert_eq!(response.status(), 200, "{path}");
        }
    }
}
