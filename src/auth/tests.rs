//! What a token must be to let somebody in: good ones pass, and each way to be bad has its own reason.

mod keys;
mod published;
mod refused;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use keys::{SECRET, Signer};

/// The second at which these tests take place.
const NOW: i64 = 1_800_000_000;

/// Who makes tokens, and whom they are for.
const BASE_URL: &str = "https://todo.example.org";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn verifier(keys: Keys) -> Verifier {
    let expected = Expected { issuer: Some(BASE_URL.into()), audience: Some(BASE_URL.into()) };
    Verifier { keys, expected, clock: Clock::of(now) }
}

fn of_secret() -> Verifier {
    verifier(Keys::Shared(Key::shared(SECRET)))
}

/// Claims that are good now.
fn claims() -> Value {
    json!({"sub": "ada", "iss": BASE_URL, "aud": BASE_URL, "iat": NOW, "exp": NOW + 900})
}

/// Claims that are good but for one.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// Claims that are good but for one that is not there.
fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// What Better Auth 1.x puts into a token by default: the whole user, and the base URL twice.
fn better_auth_claims() -> Value {
    json!({
        "id": "X7k2mQ9vB4nT1sW8eR5yU3iO6pA0dFgH", "name": "Ada Lovelace", "email": "ada@example.org",
        "emailVerified": true, "image": null, "createdAt": "2026-11-01T10:00:00.000Z",
        "updatedAt": "2026-11-01T10:00:00.000Z", "sub": "X7k2mQ9vB4nT1sW8eR5yU3iO6pA0dFgH",
        "iat": NOW, "exp": NOW + 900, "iss": BASE_URL, "aud": BASE_URL,
    })
}

#[tokio::test]
async fn a_token_says_who_asks_and_until_when() {
    let token = Signer::secret().sign(&claims());
    let user = crate::domain::UserId::parse("ada").unwrap();
    let expires_at = Some(now() + TimeDelta::minutes(15));
    assert_eq!(of_secret().verify(&token).await, Ok(Principal { user, expires_at }));
}

#[tokio::test]
async fn clocks_may_be_half_a_minute_apart_and_an_audience_may_be_one_of_several() {
    for claims in [
        claims_with("exp", json!(NOW - 29)),
        claims_with("exp", json!(NOW as f64 + 0.5)),
        claims_with("nbf", json!(NOW + 30)),
        claims_with("aud", json!(["https://other.example", BASE_URL])),
    ] {
        let verdict = of_secret().verify(&Signer::secret().sign(&claims)).await;
        assert!(verdict.is_ok(), "{claims} {verdict:?}");
    }
}

#[tokio::test]
async fn issuer_and_audience_count_only_where_they_are_configured() {
    let expected = Expected { issuer: None, audience: None };
    let verifier = Verifier { expected, ..of_secret() };
    let token = Signer::secret().sign(&json!({"sub": "ada", "exp": NOW + 1}));
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_token_of_better_auth_lets_its_user_in() {
    let signer = Signer::ed25519("kid-1");
    let keys = Published::holding(&[signer.public_key()]);
    let principal =
        verifier(Keys::Published(keys)).verify(&signer.sign(&better_auth_claims())).await.unwrap();
    assert_eq!(principal.user.as_str(), "X7k2mQ9vB4nT1sW8eR5yU3iO6pA0dFgH");
}

#[tokio::test]
async fn each_kind_of_published_key_is_taken() {
    for signer in [Signer::ed25519("a"), Signer::p256("b"), Signer::rsa("c")] {
        let keys = Keys::Published(Published::holding(&[signer.public_key()]));
        let verdict = verifier(keys).verify(&signer.sign(&claims())).await;
        assert!(verdict.is_ok(), "{} {verdict:?}", signer.algorithm());
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_is_checked_with_the_only_one_there_is() {
    let signer = Signer::ed25519("a");
    let keys = Published::holding(&[signer.public_key(), Signer::p256("b").public_key()]);
    let token = signer.sign_with(json!({"alg": "EdDSA"}), &claims());
    assert!(verifier(Keys::Published(keys)).verify(&token).await.is_ok());
}

#[test]
fn a_token_made_here_is_one_that_the_service_takes() {
    let settings = Jwt {
        keys: JwtKeys::Secret(SECRET.into()),
        issuer: Some(BASE_URL.into()),
        audience: Some(BASE_URL.into()),
    };
    let user = crate::domain::UserId::parse("auth0|65f").unwrap();
    let token = issue(&settings, &user, now(), TimeDelta::minutes(5)).unwrap();
    let token = Token::parse(&token).unwrap();
    Key::shared(SECRET).check(&token).unwrap();
    let principal = Claims::parse(&token.payload).unwrap().principal(&Expected::from(&settings), now());
    assert_eq!(principal, Ok(Principal { user, expires_at: Some(now() + TimeDelta::minutes(5)) }));
}
