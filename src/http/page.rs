//! The page at `/`, out of the binary alone: whoever starts the service can talk to it at once.

mod files;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    etag::{is_known, tag_of},
    params::Params,
    problem::Problem,
};
use files::{CHATKIT_DEMO, File, INDEX, Name, find};

/// What the page may load and do: its own files, and nothing that makes markup out of text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// What the page with the hosted component may load: that component too, which brings its styles and its frame.
const HOSTED_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' https://cdn.platform.openai.com; \
     style-src 'self' 'unsafe-inline' https://cdn.platform.openai.com; img-src 'self' https: data:; \
     font-src https://cdn.platform.openai.com; frame-src https://cdn.platform.openai.com; \
     connect-src 'self' https://cdn.platform.openai.com https://api.openai.com https://chatgpt.com; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Where the guide says that the service is, if the client names no host.
const USUAL_HOST: &str = "localhost:8000";

/// Shows the page to a browser, and a guide to whoever asks for no page.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "page",
    tag = "page",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer.")),
    responses(
        (status = 200, description = "The page, or without `text/html` in `Accept` a guide for curl.",
            content((String = "text/html"), (String = "text/plain")),
            headers(("ETag" = String, description = "Another one means another page."))),
        (status = 304, description = "It is still the same."),
    ),
)]
pub(super) async fn index(headers: HeaderMap) -> Response {
    let vary = [(header::VARY, "accept")];
    if wants_page(&headers) {
        return (vary, sent(&headers, &INDEX, POLICY)).into_response();
    }
    let guide = guide(host(&headers));
    (vary, answer(&headers, "text/plain; charset=utf-8", guide.into(), POLICY)).into_response()
}

/// Serves what the pages consist of.
#[utoipa::path(
    get,
    path = "/web/{file}",
    operation_id = "page_file",
    tag = "page",
    params(
        ("file" = inline(Name), Path, description = "A file of a page."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The file.",
            content((String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml")),
            headers(("ETag" = String, description = "Another one means another file."))),
        (status = 304, description = "It is still the same."),
    ),
)]
pub(super) async fn file(params: Params, headers: HeaderMap) -> Result<Response, Problem> {
    let file = find(params.text("file")).ok_or(Problem::NoSuchRoute)?;
    Ok(sent(&headers, file, POLICY))
}

/// Shows the component that OpenAI hosts, on our `/chatkit`. It is loaded when the user says so.
#[utoipa::path(
    get,
    path = "/chatkit-demo",
    operation_id = "chatkit_demo",
    tag = "page",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html",
            headers(("ETag" = String, description = "Another one means another page."))),
        (status = 304, description = "It is still the same."),
    ),
)]
pub(super) async fn chatkit_demo(headers: HeaderMap) -> Response {
    sent(&headers, &CHATKIT_DEMO, HOSTED_POLICY)
}

fn sent(headers: &HeaderMap, file: &File, policy: HeaderValue) -> Response {
    answer(headers, file.content_type, Bytes::from_static(file.bytes), policy)
}

fn answer(headers: &HeaderMap, content_type: &'static str, bytes: Bytes, policy: HeaderValue) -> Response {
    let tag = tag_of(&bytes);
    let policy = [(HeaderName::from_static("content-security-policy"), policy)];
    let fixed = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, policy, fixed).into_response();
    }
    (policy, fixed, [(header::CONTENT_TYPE, content_type)], bytes).into_response()
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split([',', ';'])).map(str::trim);
    ranges.any(|range| range.eq_ignore_ascii_case("text/html"))
}

/// Returns what the client calls us, if it looks like a host: it goes into commands that people copy.
fn host(headers: &HeaderMap) -> &str {
    let sent = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_host = |host: &&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) && !host.is_empty()
    };
    sent.filter(is_host).unwrap_or(USUAL_HOST)
}

fn guide(host: &str) -> String {
    format!(
        "\
Parlor, a conversational backend. Open http://{host}/ in a browser for a page, or stay here:

curl -N {host}/api/local/chat -H 'content-type: application/json' -H 'accept: text/plain' \\
  -d '{{\"message\": \"add buy milk and call mom\"}}'
curl {host}/api/local/tasks

`local` is the user. Without `accept` the answer is a stream of events; with application/json it is one object.
Where the service wants tokens, add  -H 'authorization: Bearer …'.
All routes:  http://{host}/docs  (or /openapi.json)
Its health:  http://{host}/health/ready
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn a_page_is_for_those_who_name_it() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [(browser, true), ("*/*", false), ("application/json", false)] {
            assert_eq!(wants_page(&headers(header::ACCEPT, accept)), expected, "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn the_guide_is_ten_lines_and_names_the_host_only_if_it_is_one() {
        assert_eq!(guide("a").lines().count(), 10);
        for (sent, expected) in [("[::1]:8000", "[::1]:8000"), ("a;rm", USUAL_HOST), ("", USUAL_HOST)] {
            assert_eq!(host(&headers(header::HOST, sent)), expected, "{sent}");
        }
    }
}
