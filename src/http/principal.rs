//! The principal of a request. A handler that takes one cannot forget to authenticate.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{App, params::Params, problem::Problem, request_line::RequestScope};
use crate::domain::{Principal, UserId};

impl FromRequestParts<App> for Principal {
    type Rejection = Problem;

    /// Without authentication the user is whom the path names; `guard` lets nobody in from elsewhere.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let params = Params::from_request_parts(parts, app).await?;
        let user = UserId::parse(params.text("user_id"));
        let user = user.map_err(|error| Problem::field("user_id", error.to_string()))?;
        RequestScope::note_user(&user);
        Ok(Self { user })
    }
}
