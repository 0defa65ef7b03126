//! What stands in the path. It is taken as text first, because a bad body is told before a bad id.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use super::{App, problem::Problem};
use crate::domain::UserId;

/// The parameters of the path, by name.
#[derive(Debug)]
pub(super) struct Params(RawPathParams);

impl FromRequestParts<App> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        params.map(Self).map_err(|_| Problem::MalformedRequest("the path is not valid UTF-8"))
    }
}

/// Writes the beginning of a path of the user's, for `Location`. Of what a user id may hold only `|` is no sign of a
/// path (RFC 3986, 3.3).
pub(super) fn path_of(user: &UserId) -> String {
    format!("/api/{}", user.as_str().replace('|', "%7C"))
}

impl Params {
    /// Returns a parameter as it stands in the path; nothing if it is none of the route's.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Returns a parameter as it stands in the path.
    pub(super) fn text(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Reads an id.
    pub(super) fn id<T: FromStr>(&self, name: &'static str) -> Result<T, Problem> {
        self.text(name).parse().map_err(|_| Problem::field(name, "must be a UUID, lower case with hyphens"))
    }

    /// Reads a number that counts from 1.
    pub(super) fn number(&self, name: &'static str) -> Result<i64, Problem> {
        let number = self.text(name).parse().ok().filter(|number| *number >= 1);
        number.ok_or_else(|| Problem::field(name, "must be a whole number from 1"))
    }
}
