//! `parlor token`: a token for trying.

use std::process::ExitCode;

use chrono::TimeDelta;

use super::{Failure, runtime};
use crate::{
    auth,
    clock::Clock,
    config::{self, AuthMode},
    domain::UserId,
};

/// Prints a token of `JWT_SECRET` that is good for so many minutes.
pub(super) fn token(user: &str, minutes: u32) -> Result<ExitCode, Failure> {
    let user = UserId::parse(user).map_err(|error| runtime(anyhow::anyhow!("the user id {error}")))?;
    let (config, _) = config::read().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let settings = match &config.auth.mode {
        AuthMode::Jwt(settings) => settings,
        AuthMode::None => {
            return Err(Failure::Configuration("AUTH_MODE=jwt and JWT_SECRET required for a token".into()));
        }
    };
    let lasting = TimeDelta::minutes(minutes.into());
    let token = auth::issue(settings, &user, Clock::system().now(), lasting);
    println!("{}", token.map_err(|error| Failure::Configuration(error.to_string()))?);
    Ok(ExitCode::SUCCESS)
}
