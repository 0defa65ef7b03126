//! The principal of a request. A handler that takes one cannot forget to authenticate.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{App, params::Params, problem::Problem, request_line::RequestScope};
use crate::{
    auth::{Auth, Refusal},
    domain::{Principal, UserId},
};

/// How long a stream goes on after the token that opened it, so that a client can fetch a new one.
const AFTER_EXPIRY: TimeDelta = TimeDelta::seconds(60);

/// The header that names the user where no token does and the path has no place for it.
const USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// The user of a request that names none.
const USUAL_USER: &str = "local";

impl FromRequestParts<App> for Principal {
    type Rejection = Problem;

    /// Refuses a request without a good token, and one whose token is for another user than the path. Without
    /// authentication the user is whom the path names; `guard` lets nobody in from elsewhere.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = match &app.auth {
            Auth::None => {
                let params = Params::from_request_parts(parts, app).await?;
                Self { user: named(&params, &parts.headers)?, expires_at: None }
            }
            Auth::Tokens(verifier) => {
                let principal = verifier.verify(bearer(&parts.headers)?).await?;
                let params = Params::from_request_parts(parts, app).await?;
                if params.find("user_id").is_some_and(|user| user != principal.user.as_str()) {
                    return Err(Problem::Forbidden("this token is for another user".into()));
                }
                principal
            }
        };
        RequestScope::note_user(&principal.user);
        Ok(principal)
    }
}

/// Finds the user whom a request names: in its path, or on a route without one in a header.
fn named(params: &Params, headers: &HeaderMap) -> Result<UserId, Problem> {
    if let Some(user) = params.find("user_id") {
        return UserId::parse(user).map_err(|error| Problem::field("user_id", error.to_string()));
    }
    let user = headers.get(USER_ID).map_or(Ok(USUAL_USER), |user| user.to_str());
    let user = user.ok().and_then(|user| UserId::parse(user).ok());
    user.ok_or(Problem::InvalidHeader { name: "X-User-Id", fault: "must be a user id" })
}

/// Finds the token: one `Authorization` header, of the kind `Bearer`.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (sent.next(), sent.next()) {
        (None, _) => return Err(Refusal::NoToken),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(Refusal::OtherScheme),
    };
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some(_) | None => Err(Refusal::OtherScheme),
    }
}

/// Returns how long a stream may go on; without an expiry for ever.
pub(super) fn time_left(principal: &Principal, now: DateTime<Utc>) -> Option<Duration> {
    let left = principal.expires_at?.signed_duration_since(now) + AFTER_EXPIRY;
    Some(left.to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_is_found_behind_its_scheme_whatever_its_case() {
        for (sent, expected) in [
            (&["Bearer a.b.c"][..], Ok("a.b.c")),
            (&["bearer   a.b.c "], Ok("a.b.c")),
            (&[], Err(Refusal::NoToken)),
            (&["Basic YTpi"], Err(Refusal::OtherScheme)),
            (&["Bearer"], Err(Refusal::OtherScheme)),
            (&["Bearer a.b.c", "Bearer d.e.f"], Err(Refusal::OtherScheme)),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_stream_ends_a_minute_after_its_token() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let left =
            |expires_at| time_left(&Principal { user: UserId::parse("ada").unwrap(), expires_at }, now);
        assert_eq!(left(None), None);
        assert_eq!(left(Some(now + TimeDelta::minutes(15))), Some(Duration::from_secs(16 * 60)));
        assert_eq!(left(Some(now - TimeDelta::seconds(29))), Some(Duration::from_secs(31)));
        assert_eq!(left(Some(now - TimeDelta::hours(1))), Some(Duration::ZERO));
        assert!(left(Some(DateTime::<Utc>::MAX_UTC)).is_some());
    }
}
