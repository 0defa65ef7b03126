//! The same with tokens: a secret in every place that takes one, every way in which a request can fail, and then a
//! search through all that the service has left behind.

use chrono::{TimeDelta, Utc};
use parlor::{
    auth,
    config::{Jwt, JwtKeys},
    domain::UserId,
};
use reqwest::{Client, RequestBuilder, StatusCode};

use super::*;
use crate::support::{
    eventually,
    outage::Outage,
    provider::{Act, said},
    rows::all_rows,
    soon,
    stream::Turn,
};

const HEADER: &str = "hd-canary-4410";
const SECRET: &str = "jwt-canary-e21b-0123456789-0123456789";

/// Why the knocks are refused, in the words of the log.
const REASONS: [&str; 5] = [
    "the token has expired",
    "the signature is wrong",
    "the token is malformed",
    "no token was sent",
    "the Authorization header is not one Bearer token",
];

/// What a provider might say of a request that it refuses.
fn babble() -> String {
    json!({"error": {"message": format!("key {KEY} with {HEADER} may not ask {TEXT:?}"), "failed_generation": TEXT}})
        .to_string()
}

/// Makes a token of a secret that is good for some minutes, be they over.
fn token(secret: &str, minutes: i64) -> String {
    let settings = Jwt { keys: JwtKeys::Secret(secret.into()), issuer: None, audience: None };
    let user = UserId::parse("ada").unwrap();
    auth::issue(&settings, &user, Utc::now(), TimeDelta::minutes(minutes)).unwrap()
}

/// A client that remembers all that it was told, heads and bodies.
struct Listener {
    base: String,
    http: Client,
    told: String,
}

impl Listener {
    async fn hear(&mut self, request: RequestBuilder) -> StatusCode {
        let answer = soon("an answer", request.send()).await.unwrap();
        let status = answer.status();
        self.told.push_str(&format!("{:?}", answer.headers()));
        if answer.headers()["content-type"] == "text/event-stream" {
            let mut turn = Turn::of(answer);
            turn.rest().await;
            self.told.push_str(turn.raw());
        } else {
            self.told.push_str(&answer.text().await.unwrap());
        }
        status
    }

    fn ask(&self, token: &str, accept: &str) -> RequestBuilder {
        let url = format!("{}/api/ada/chat", self.base);
        let request = self.http.post(url).bearer_auth(token).header("accept", accept);
        request.json(&json!({"message": "go on"}))
    }
}

/// Lets turns fail in every way that a provider knows.
async fn fail_in_every_way(listener: &mut Listener, provider: &Provider, good: &str) {
    let all = [400, 401, 403, 404, 429, 500];
    for (accept, statuses) in
        [("text/event-stream", &all[..]), ("application/json", &all[1..2]), ("text/plain", &all[1..2])]
    {
        for &status in statuses {
            provider.then(Answer::error(status, &babble()));
            listener.hear(listener.ask(good, accept)).await;
        }
        for acts in [vec![Act::Send(said("one"))], vec![Act::Send(format!("data: {}\n\n", babble()))]] {
            provider.then(Answer::acts(acts));
            listener.hear(listener.ask(good, accept)).await;
        }
    }
}

/// Knocks with what is no good, in the places where tokens are put.
async fn knock(listener: &mut Listener, good: &str, bad: &[String]) {
    let tasks = format!("{}/api/ada/tasks", listener.base);
    for token in bad {
        let request = listener.http.get(&tasks).bearer_auth(token);
        assert_eq!(listener.hear(request).await, StatusCode::UNAUTHORIZED);
    }
    for name in ["access_token", "token"] {
        let request = listener.http.get(format!("{tasks}?{name}={good}"));
        assert_eq!(listener.hear(request).await, StatusCode::UNAUTHORIZED);
    }
    let foreign = listener.http.get(tasks.replace("/ada/", "/bob/")).bearer_auth(good);
    assert_eq!(listener.hear(foreign).await, StatusCode::FORBIDDEN);
    let basic = listener.http.get(&tasks).basic_auth("ada", Some(SECRET));
    assert_eq!(listener.hear(basic).await, StatusCode::UNAUTHORIZED);
}

/// Reads a file of a process, words that are ended by NUL as lines.
fn of_process(id: i32, file: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{id}/{file}")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

on_both! { migrations();
    async fn no_token_no_key_and_no_password_is_left_anywhere_however_requests_fail(place: Place) {
        let provider = Provider::start().await;
        let mut outage = Outage::of(&place).await;
        let database = outage.url().replace("://postgres@", &format!("://postgres:{PASSWORD}@"));
        let headers = format!("x-canary: {HEADER}");
        let more = [
            ("RUST_LOG", "trace"),
            ("LLM_RETRIES", "0"),
            ("LLM_EXTRA_HEADERS", headers.as_str()),
            ("AUTH_MODE", "jwt"),
            ("JWT_SECRET", SECRET),
            ("DATABASE_URL", database.as_str()),
        ];
        let tasks = [("TASKS_DATABASE_URL", database.as_str())];
        let tasks = if database.starts_with("postgres") { &tasks[..] } else { &[] };
        let service = Process::start(&place, &[&provider.settings()[..], &more, tasks].concat()).await;
        let good = token(SECRET, 60);
        let bad = [
            token(SECRET, -60), token("another-secret-0123456789-0123456789", 60), format!("{good}x"), good.replace('.', "_"),
        ];
        let mut listener = Listener { base: service.base.clone(), http: Client::new(), told: String::new() };

        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Added."]));
        assert_eq!(listener.hear(listener.ask(&good, "text/event-stream")).await, 200);
        assert!(listener.told.contains("run.completed"), "{}", listener.told);
        fail_in_every_way(&mut listener, &provider, &good).await;
        knock(&mut listener, &good, &bad).await;
        outage.begin().await;
        assert_eq!(listener.hear(listener.ask(&good, "text/event-stream")).await, 503);
        assert!(listener.told.contains("storage_unavailable"));
        outage.end().await;
        let tasks = format!("{}/api/ada/tasks", service.base);
        eventually("it goes on", || async {
            let answer = Client::new().get(&tasks).bearer_auth(&good).send().await.unwrap();
            answer.status().is_success().then_some(())
        })
        .await;

        let (parent, child) = (service.id().as_raw_nonzero().get(), children(service.id())[0]);
        let seen = [of_process(parent, "cmdline"), of_process(child, "cmdline"), of_process(child, "environ")];
        let ended = service.terminate().await;
        assert_eq!(ended.code, Some(0));
        let rows = all_rows(&place).await.concat();
        assert!(rows.contains("milk") && ended.log.contains("a model call failed"), "it was looked in the right places");
        let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        let secrets = [KEY.into(), SECRET.into(), signature(&good), signature(&bad[0]), signature(&bad[1])];
        for secret in secrets.iter().map(String::as_str).chain([PASSWORD, HEADER]) {
            assert!(!listener.told.contains(secret), "{secret} was told");
            assert!(!ended.log.contains(secret), "{secret} was logged:\n{}", around(&ended.log, secret));
            assert!(!rows.contains(secret), "{secret} was stored");
            for (text, place) in seen.iter().zip(["our command line", "the child's command line", "the child's environment"]) {
                // The child gets the address of its own database, and that alone.
                let text: String = text.lines().filter(|line| !line.starts_with("TASKS_DATABASE_URL=")).collect();
                assert!(!text.contains(secret), "{secret} is in {place}");
            }
            assert_eq!(files_with(&place, secret), [""; 0], "{secret}");
        }
        assert!(!listener.told.contains(TEXT), "what a provider says was told");
        for reason in REASONS {
            assert!(ended.log.contains(reason) && !listener.told.contains(reason), "{reason}");
        }
    }
}
