//! What a signed token says, and whether that is enough to let its user in. Claims that are not needed are not even
//! read: some providers put the whole user into a token.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;
use crate::domain::{Principal, UserId};

/// How far clocks may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// What tokens must say beside who and until when.
pub(super) struct Expected {
    /// Who must have made them.
    pub issuer: Option<String>,
    /// Whom they must be for.
    pub audience: Option<String>,
}

/// The claims that matter, as they stand.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
}

impl Claims {
    /// Reads claims. One that is there twice makes all of them unreadable.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Refusal> {
        // A JSON list would be read as the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::Malformed("its payload is not an object"));
        }
        serde_json::from_slice(json).map_err(|_| Refusal::Malformed("its payload is not an object"))
    }

    /// Returns whom the token speaks for at this time, or the first rule that it breaks.
    pub(super) fn principal(&self, expected: &Expected, now: DateTime<Utc>) -> Result<Principal, Refusal> {
        let expires_at = read_time("exp", self.exp.as_ref())?.ok_or(Refusal::Missing("exp"))?;
        if now.signed_duration_since(expires_at) >= LEEWAY {
            return Err(Refusal::Expired);
        }
        let begins_at = read_time("nbf", self.nbf.as_ref())?;
        if begins_at.is_some_and(|begins_at| begins_at.signed_duration_since(now) > LEEWAY) {
            return Err(Refusal::NotYet);
        }
        self.check_issuer(expected)?;
        self.check_audience(expected)?;
        let user = self.sub.as_ref().ok_or(Refusal::Missing("sub"))?;
        let user = user.as_str().and_then(|user| UserId::parse(user).ok()).ok_or(Refusal::Claim("sub"))?;
        Ok(Principal { user, expires_at: Some(expires_at) })
    }

    fn check_issuer(&self, expected: &Expected) -> Result<(), Refusal> {
        let Some(issuer) = &expected.issuer else { return Ok(()) };
        match &self.iss {
            None => Err(Refusal::Missing("iss")),
            Some(Value::String(made_by)) if made_by == issuer => Ok(()),
            Some(_) => Err(Refusal::Issuer),
        }
    }

    fn check_audience(&self, expected: &Expected) -> Result<(), Refusal> {
        let Some(audience) = &expected.audience else { return Ok(()) };
        match &self.aud {
            None => Err(Refusal::Missing("aud")),
            Some(Value::String(meant)) if meant == audience => Ok(()),
            Some(Value::Array(meant)) if meant.iter().any(|meant| meant.as_str() == Some(audience)) => Ok(()),
            Some(_) => Err(Refusal::Audience),
        }
    }
}

fn read_time(name: &'static str, claim: Option<&Value>) -> Result<Option<DateTime<Utc>>, Refusal> {
    claim.map(|claim| time(claim).ok_or(Refusal::Claim(name))).transpose()
}

/// Reads a time: seconds since 1970, fractions allowed and dropped.
fn time(claim: &Value) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit is no time that chrono knows")]
    let floor = |seconds: f64| seconds.floor() as i64;
    let seconds = claim.as_i64().or_else(|| claim.as_f64().map(floor))?;
    DateTime::from_timestamp(seconds, 0)
}
