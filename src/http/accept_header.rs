//! Which format an answer has: what the client accepts, or server-sent events. There is no 406.

use axum::http::{HeaderMap, header};

/// The format of a chat answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Native server-sent events.
    Events,
    /// One JSON object at the end.
    Json,
    /// The bare text.
    Plain,
}

/// Picks the format from `Accept` (RFC 9110, 12.5.1): JSON or plain text only where they are preferred to events.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(String, f32)> = accept.flat_map(|value| value.split(',')).filter_map(range).collect();
    let named = |name: &str| ranges.iter().find(|(range, _)| range == name).map(|(_, quality)| *quality);
    let whole = |group: &str, name: &str| named(name).or_else(|| named(group)).or_else(|| named("*/*"));
    let events = whole("text/*", "text/event-stream").unwrap_or(0.0);
    let json = named("application/json").or_else(|| named("application/*")).unwrap_or(0.0);
    let plain = named("text/plain").unwrap_or(0.0);
    if json > events.max(plain) {
        Format::Json
    } else if plain > events && plain > 0.0 {
        Format::Plain
    } else if named("text/event-stream").is_none() && json > 0.0 && json >= events && json >= plain {
        // `application/json, */*`: what is named is meant.
        Format::Json
    } else if named("text/event-stream").is_none() && plain > 0.0 && plain >= events {
        Format::Plain
    } else {
        Format::Events
    }
}

/// Reads one range with its quality; without one it is 1.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|quality| quality.parse().ok());
    Some((range, quality.unwrap_or(1.0)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_format_is_what_the_client_prefers_and_events_otherwise() {
        let table = [
            (None, Format::Events),
            (Some("*/*"), Format::Events),
            (Some("text/event-stream"), Format::Events),
            (Some("application/json"), Format::Json),
            (Some("application/json, text/event-stream"), Format::Events),
            (Some("application/json, */*"), Format::Json),
            (Some("application/json;q=0.5, text/event-stream;q=0.9"), Format::Events),
            (Some("application/json;q=0.9, text/event-stream;q=0.5"), Format::Json),
            (Some("text/plain"), Format::Plain),
            (Some("text/plain, */*;q=0.1"), Format::Plain),
            (Some("text/html, image/png"), Format::Events),
            (Some("TEXT/PLAIN"), Format::Plain),
            (Some(";;,,q=x"), Format::Events),
        ];
        for (accept, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(format(&headers), expected, "{accept:?}");
        }
    }
}
