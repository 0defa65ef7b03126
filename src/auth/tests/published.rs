//! The keys of an identity provider that is a real server on this machine: it rotates, fails, and counts who asks.

use std::sync::{
    Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use reqwest::Url;
use tokio::net::TcpListener;

use super::*;

/// What the provider answers.
#[derive(Clone)]
enum Says {
    Keys(Vec<Value>),
    Bytes(String),
    Redirect,
    Nothing,
}

/// An identity provider, and a clock that the test moves.
struct Provider {
    says: Mutex<Says>,
    asked: AtomicUsize,
    seconds: AtomicI64,
}

impl Provider {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

async fn answer(
    State(provider): State<Arc<Provider>>,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    provider.asked.fetch_add(1, Ordering::SeqCst);
    let says = provider.says.lock().unwrap().clone();
    let (status, body) = match says {
        Says::Keys(keys) => (StatusCode::OK, json!({"keys": keys}).to_string()),
        Says::Bytes(bytes) => (StatusCode::OK, bytes),
        Says::Redirect => (StatusCode::FOUND, String::new()),
        Says::Nothing => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    };
    (status, [("location", "/elsewhere")], body)
}

/// Starts a provider and a verifier that has asked it once.
async fn start(says: Says) -> (Arc<Provider>, Auth) {
    let provider = Arc::new(Provider {
        says: Mutex::new(says),
        asked: AtomicUsize::new(0),
        seconds: AtomicI64::new(NOW),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/keys", listener.local_addr().unwrap())).unwrap();
    let router = Router::new().route("/keys", get(answer)).with_state(Arc::clone(&provider));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let told = Arc::clone(&provider);
    let clock = Clock::of(move || DateTime::from_timestamp(told.seconds.load(Ordering::SeqCst), 0).unwrap());
    let settings = Jwt { keys: JwtKeys::Url(url), issuer: None, audience: None };
    let auth = Auth::start(&AuthMode::Jwt(settings), clock).await.unwrap();
    tokio::spawn(auth.clone().keep_fresh());
    (provider, auth)
}

async fn verdict(auth: &Auth, token: &str) -> Result<(), Refusal> {
    let Auth::Tokens(verifier) = auth else { panic!("tokens are asked for") };
    verifier.verify(token).await.map(drop)
}

/// A token that outlives the test.
fn lasting(signer: &Signer) -> String {
    signer.sign(&claims_with("exp", json!(NOW + 100_000)))
}

#[tokio::test]
async fn ten_thousand_made_up_keys_cost_one_fetch_a_minute() {
    let signer = Signer::ed25519("a");
    let (provider, auth) = start(Says::Keys(vec![signer.public_key()])).await;
    let made_up: Vec<String> =
        (0..5_000).map(|name| lasting(&Signer::ed25519(&format!("made-up-{name}")))).collect();
    for minute in 1..=2 {
        provider.wait(60);
        for token in &made_up {
            assert_eq!(verdict(&auth, token).await, Err(Refusal::UnknownKey));
        }
        assert_eq!(provider.asked(), 1 + minute);
    }
    assert_eq!(verdict(&auth, &lasting(&signer)).await, Ok(()));
}

#[tokio::test]
async fn a_crowd_with_a_new_key_is_let_in_after_one_fetch() {
    let (old, new) = (Signer::ed25519("old"), Signer::p256("new"));
    let (provider, auth) = start(Says::Keys(vec![old.public_key()])).await;
    provider.now_says(Says::Keys(vec![old.public_key(), new.public_key()]));
    provider.wait(61);
    let tokens: Vec<String> = (0..200).map(|at| lasting(if at % 2 == 0 { &old } else { &new })).collect();
    let verdicts = futures_util::future::join_all(tokens.iter().map(|token| verdict(&auth, token))).await;
    assert_eq!(verdicts, [Ok(()); 200]);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn known_keys_stay_good_while_the_provider_is_down_or_talks_nonsense() {
    let (known, new) = (Signer::ed25519("known"), Signer::ed25519("new"));
    let (provider, auth) = start(Says::Keys(vec![known.public_key()])).await;
    let large = format!("{}{}", " ".repeat(64 * 1024), json!({"keys": [new.public_key()]}));
    for says in [Says::Nothing, Says::Bytes("<html>".into()), Says::Bytes(large), Says::Redirect] {
        provider.now_says(says);
        provider.wait(61);
        let asked = provider.asked();
        assert_eq!(verdict(&auth, &lasting(&new)).await, Err(Refusal::UnknownKey));
        assert_eq!(verdict(&auth, &lasting(&known)).await, Ok(()));
        assert_eq!(provider.asked(), asked + 1);
    }
}

#[tokio::test]
async fn a_key_that_was_taken_out_of_the_set_is_good_until_the_next_fetch() {
    let (lost, kept) = (Signer::ed25519("lost"), Signer::ed25519("kept"));
    let (provider, auth) = start(Says::Keys(vec![lost.public_key(), kept.public_key()])).await;
    provider.now_says(Says::Keys(vec![kept.public_key()]));
    assert_eq!(verdict(&auth, &lasting(&lost)).await, Ok(()));
    provider.wait(61);
    assert_eq!(verdict(&auth, &lasting(&Signer::ed25519("made-up"))).await, Err(Refusal::UnknownKey));
    assert_eq!(verdict(&auth, &lasting(&lost)).await, Err(Refusal::UnknownKey));
    assert_eq!(verdict(&auth, &lasting(&kept)).await, Ok(()));
}

#[tokio::test]
async fn a_provider_that_is_down_at_the_start_is_asked_again() {
    let signer = Signer::ed25519("a");
    let (provider, auth) = start(Says::Nothing).await;
    assert_eq!(verdict(&auth, &lasting(&signer)).await, Err(Refusal::UnknownKey));
    provider.now_says(Says::Keys(vec![signer.public_key()]));
    provider.wait(61);
    assert_eq!(verdict(&auth, &lasting(&signer)).await, Ok(()));
}
