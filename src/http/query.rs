//! What stands behind the `?`: read leniently as to what there is, strictly as to what it says.

use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};
use percent_encoding::percent_decode_str;

use super::{App, problem::Problem};

/// How many rows a page has if nobody says.
const DEFAULT_LIMIT: u64 = 20;

/// How many rows a page may have.
const MOST: u64 = 100;

/// The parameters of the query, in their order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    fn parse(query: &str) -> Result<Self, Problem> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Self(decoded.collect::<Result<_, Problem>>()?))
    }

    /// Finds a parameter; an empty one counts as absent.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Reads the size of the page.
    pub(super) fn limit(&self) -> Result<u64, Problem> {
        match self.find("limit") {
            None => Ok(DEFAULT_LIMIT),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
                Ok(_) | Err(_) => Err(Problem::field("limit", "must be a whole number from 1 to 100")),
            },
        }
    }

    /// Reads the cursor that an earlier page gave.
    pub(super) fn cursor<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let parsed = self.find("cursor").map(str::parse).transpose();
        parsed.map_err(|_| Problem::field("cursor", "must be a next_cursor of this list"))
    }

    /// Reads one of a few words.
    pub(super) fn choice<'a>(
        &self,
        name: &'static str,
        words: &[&'a str],
    ) -> Result<Option<&'a str>, Problem> {
        let Some(text) = self.find(name) else { return Ok(None) };
        let found = words.iter().find(|word| **word == text).copied();
        found.map(Some).ok_or_else(|| Problem::field(name, format!("must be one of {}", words.join(", "))))
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    const FAULT: Problem = Problem::MalformedRequest("the query has bad percent-encoding");
    let spaced = text.replace('+', " ");
    let mut rest = spaced.as_str();
    while let Some((_, after)) = rest.split_once('%') {
        if !after.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            return Err(FAULT);
        }
        rest = after;
    }
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| FAULT)?;
    if decoded.contains('\0') {
        Err(Problem::field("query", "must not hold NUL"))
    } else {
        Ok(decoded.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap()
    }

    #[test]
    fn a_limit_outside_one_to_a_hundred_is_refused() {
        assert_eq!(query("").limit().unwrap(), 20);
        assert_eq!(query("limit=100").limit().unwrap(), 100);
        for text in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5"] {
            assert!(query(text).limit().is_err(), "{text}");
        }
    }

    #[test]
    fn bad_percent_encoding_is_malformed() {
        for text in ["a=%", "a=%2", "a=%zz", "a=%ff"] {
            assert!(matches!(Query::parse(text), Err(Problem::MalformedRequest(_))), "{text}");
        }
        assert_eq!(query("search=caf%C3%A9+au+lait").find("search"), Some("café au lait"));
    }

    #[test]
    fn a_word_that_is_none_of_the_choices_names_them() {
        let refused = query("order=up").choice("order", &["asc", "desc"]).unwrap_err();
        assert_eq!(refused.to_string(), "order must be one of asc, desc");
    }
}
