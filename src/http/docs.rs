//! The description of the API for programs, and a page that shows it to people. Both come from the binary alone.

use std::sync::{Arc, OnceLock};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_swagger_ui::Config;

use super::{
    App,
    etag::{is_known, tag_of},
    openapi,
    params::Params,
    problem::Problem,
};

/// What the page may load and do: nothing from elsewhere. Swagger UI draws its icons from `data:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page. Its files and the description lie beside it.
const PAGE: &str = include_str!("docs/page.html");

/// The script that starts Swagger UI on the page.
const START: (&str, &str) = ("start.js", include_str!("docs/start.js"));

/// The files of Swagger UI that the page needs.
const FILES: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

/// The description as it is sent: made once, and not before somebody asks. The trees that it is made from are large.
#[derive(Clone, Debug, Default)]
pub struct Description(Arc<OnceLock<Written>>);

#[derive(Debug)]
struct Written {
    bytes: Bytes,
    tag: String,
}

impl Description {
    fn written(&self) -> &Written {
        self.0.get_or_init(|| {
            let bytes = Bytes::from(openapi::document().to_string());
            let tag = tag_of(&bytes);
            Written { bytes, tag }
        })
    }
}

/// Describes the API: this document, OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "docs",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer.")),
    responses(
        (status = 200, description = "This document.", body = Object, content_type = "application/json",
            headers(("ETag" = String, description = "Another one means another document."))),
        (status = 304, description = "It is still the same."),
    ),
)]
pub(super) async fn description(State(app): State<App>, headers: HeaderMap) -> Response {
    let Written { bytes, tag } = app.description.written();
    let fixed = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if is_known(&headers, tag) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, "application/json")], bytes.clone()).into_response()
}

/// Shows the description to people, and lets them try it.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(super) async fn page() -> Response {
    file_response("text/html; charset=utf-8", PAGE.into())
}

/// Serves what the page consists of.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "docs_file",
    tag = "docs",
    params(("file" = inline(File), Path, description = "A file of the page.")),
    responses((status = 200, description = "The file.", content(
        (String = "text/javascript"), (String = "text/css"), (String = "image/png"),
    ))),
)]
pub(super) async fn file(params: Params) -> Result<Response, Problem> {
    let name = params.text("file");
    if name == START.0 {
        return Ok(file_response("text/javascript", START.1.into()));
    }
    let Some(name) = FILES.iter().find(|file| **file == name) else { return Err(Problem::NoSuchRoute) };
    let served = utoipa_swagger_ui::serve(name, Arc::new(Config::from("openapi.json")));
    let Ok(Some(file)) = served else { return Err(Problem::NoSuchRoute) };
    Ok(file_response(&file.content_type, Bytes::copy_from_slice(&file.bytes)))
}

/// A file of the page.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes; the names are read by hand")]
enum File {
    #[schema(rename = "start.js")]
    Start,
    #[schema(rename = "swagger-ui-bundle.js")]
    Bundle,
    #[schema(rename = "swagger-ui.css")]
    Style,
    #[schema(rename = "favicon-32x32.png")]
    Icon,
}

fn file_response(content_type: &str, bytes: Bytes) -> Response {
    let policy = HeaderName::from_static("content-security-policy");
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    ([(policy, POLICY)], headers, bytes).into_response()
}
