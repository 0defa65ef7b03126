//! Tokens that are good but for one thing. Each is refused for that thing.

use serde_json::json;

use super::{key_set::KeySet, keys::encode, *};

/// Puts something else into one of the three parts.
fn replaced(token: &str, at: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[at] = part;
    parts.join(".")
}

/// Flips one bit of the last byte of a signature.
fn bent(token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap();
    let (first, rest) = signature.split_at(1);
    replaced(token, 2, &format!("{}{rest}", if first == "A" { "B" } else { "A" }))
}

fn with_header(name: &str, value: Value) -> String {
    let mut header = json!({"alg": "HS256", "typ": "JWT"});
    header[name] = value;
    Signer::secret().sign_with(header, &claims())
}

fn with_claim(name: &str, value: Value) -> String {
    Signer::secret().sign(&claims_with(name, value))
}

fn without_claim(name: &str) -> String {
    Signer::secret().sign(&claims_without(name))
}

fn misshapen() -> Vec<(String, Refusal)> {
    use Refusal::{Malformed, TooLong};
    let signer = Signer::secret();
    let good = signer.sign(&claims());
    let parts = Malformed("it has not three parts");
    let header = Malformed("its header is not one of a token");
    let payload = Malformed("its payload is not an object");
    let text = claims().to_string();
    vec![
        (String::new(), parts),
        ("token".into(), parts),
        (good.rsplit_once('.').unwrap().0.into(), parts),
        (format!("{good}.{}", encode("more")), parts),
        (replaced(&good, 0, "eyJ+"), Malformed("its header is not base64url")),
        (replaced(&good, 0, ""), header),
        (replaced(&good, 1, "a b"), Malformed("its payload is not base64url")),
        (format!("{good}="), Malformed("its signature is not base64url")),
        (signer.sign_text("[]", &text), header),
        (signer.sign_text(r#"{"typ":"JWT"}"#, &text), header),
        (signer.sign_text(r#"{"alg":1}"#, &text), header),
        (signer.sign_text(r#"{"alg":"HS256","alg":"none"}"#, &text), header),
        (signer.sign_text(r#"{"alg":"HS256"}"#, "[\"ada\", 2000000000]"), payload),
        (signer.sign_text(r#"{"alg":"HS256"}"#, "ada"), payload),
        (
            signer.sign_text(r#"{"alg":"HS256"}"#, &text.replacen('{', r#"{"sub":"bob","#, 1)),
            Malformed("its payload is not an object"),
        ),
        (with_claim("name", json!("a".repeat(8 * 1024))), TooLong),
    ]
}

fn forged() -> Vec<(String, Refusal)> {
    use Refusal::{Algorithm, Header, Signature, Type};
    let good = Signer::secret().sign(&claims());
    let unsigned =
        |alg: &str| format!("{}.{}.", encode(json!({"alg": alg}).to_string()), encode(claims().to_string()));
    vec![
        (unsigned("none"), Algorithm),
        (unsigned("None"), Algorithm),
        (unsigned("HS256"), Signature),
        (bent(&good), Signature),
        (replaced(&good, 1, &encode(claims_with("sub", json!("bob")).to_string())), Signature),
        (Signer::of_secret("another-secret-that-is-long-enough").sign(&claims()), Signature),
        (Signer::of_secret("").sign(&claims()), Signature),
        (with_header("alg", json!("HS384")), Algorithm),
        (with_header("alg", json!("hs256")), Algorithm),
        (with_header("alg", json!("RS256")), Algorithm),
        (with_header("alg", json!("EdDSA")), Algorithm),
        (Signer::ed25519("a").sign(&claims()), Algorithm),
        (with_header("jku", json!("https://evil.example/keys")), Header("jku")),
        (with_header("x5u", json!("https://evil.example/cert")), Header("x5u")),
        (with_header("jwk", Signer::ed25519("a").public_key()), Header("jwk")),
        (with_header("crit", json!(["exp"])), Header("crit")),
        (with_header("crit", Value::Null), Header("crit")),
        (with_header("typ", json!("dpop+jwt")), Type),
    ]
}

fn wrong() -> Vec<(String, Refusal)> {
    use Refusal::{Audience, Claim, Expired, Issuer, Missing, NotYet};
    vec![
        (without_claim("exp"), Missing("exp")),
        (with_claim("exp", Value::Null), Missing("exp")),
        (with_claim("exp", json!("2000000000")), Claim("exp")),
        (with_claim("exp", json!(1e300)), Claim("exp")),
        (with_claim("exp", json!(NOW - 30)), Expired),
        (with_claim("exp", json!(0)), Expired),
        (with_claim("exp", json!(-1)), Expired),
        (with_claim("nbf", json!(NOW + 31)), NotYet),
        (with_claim("nbf", json!("now")), Claim("nbf")),
        (without_claim("iss"), Missing("iss")),
        (with_claim("iss", json!("https://todo.example.org/")), Issuer),
        (with_claim("iss", json!([BASE_URL])), Issuer),
        (without_claim("aud"), Missing("aud")),
        (with_claim("aud", json!("https://evil.example")), Audience),
        (with_claim("aud", json!([])), Audience),
        (with_claim("aud", json!([["https://todo.example.org"]])), Audience),
        (without_claim("sub"), Missing("sub")),
        (with_claim("sub", json!("")), Claim("sub")),
        (with_claim("sub", json!("ada/../bob")), Claim("sub")),
        (with_claim("sub", json!(42)), Claim("sub")),
    ]
}

#[tokio::test]
async fn each_mutated_token_is_refused_for_its_own_reason() {
    let (verifier, mut judged) = (of_secret(), 0);
    for (token, reason) in misshapen().into_iter().chain(forged()).chain(wrong()) {
        assert_eq!(verifier.verify(&token).await, Err(reason), "{token}");
        judged += 1;
    }
    assert!(judged >= 50, "{judged}");
}

#[tokio::test]
async fn a_public_key_is_no_secret_and_a_key_has_one_algorithm() {
    use Refusal::{Algorithm, Signature, UnknownKey, UnnamedKey};
    let (known, rsa, other) = (Signer::ed25519("a"), Signer::rsa("r"), Signer::ed25519("a"));
    let public = known.public_key();
    let verifier = verifier(Keys::Published(Published::holding(&[public.clone(), rsa.public_key()])));
    let as_secret = Signer::of_secret(public["x"].as_str().unwrap());
    let named = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    for (token, reason) in [
        (as_secret.sign_with(named("HS256", "a"), &claims()), Algorithm),
        (as_secret.sign_with(json!({"alg": "HS256"}), &claims()), UnnamedKey),
        (known.sign_with(named("RS256", "a"), &claims()), Algorithm),
        (rsa.sign_with(named("EdDSA", "r"), &claims()), Algorithm),
        (rsa.sign_with(named("PS256", "r"), &claims()), Algorithm),
        (known.sign_with(named("EdDSA", "r"), &claims()), Algorithm),
        (known.sign_with(named("EdDSA", "b"), &claims()), UnknownKey),
        (other.sign(&claims()), Signature),
        (bent(&known.sign(&claims())), Signature),
        (bent(&rsa.sign(&claims())), Signature),
    ] {
        assert_eq!(verifier.verify(&token).await, Err(reason), "{token}");
    }
}

#[test]
fn keys_that_are_not_for_this_are_left_out_of_a_set() {
    let good = Signer::ed25519("a").public_key();
    let with = |name: &str, value: &str| {
        let mut key = good.clone();
        key[name] = json!(value);
        key
    };
    for key in [
        with("use", "enc"),
        with("alg", "HS256"),
        with("crv", "X25519"),
        with("kty", "EC"),
        with("x", "not base64url!"),
        Signer::secret().public_key(),
        json!("a string"),
        json!({"kty": "RSA"}),
    ] {
        let set = json!({"keys": [key, good]}).to_string();
        assert_eq!(KeySet::parse(set.as_bytes()).unwrap().len(), 1, "{set}");
    }
    for set in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(KeySet::parse(set.as_bytes()).is_err(), "{set}");
    }
}
