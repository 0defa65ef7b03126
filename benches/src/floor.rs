//! The floor: what a handler costs that only passes a provider's bytes through, and keeps nothing.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::net::TcpListener;

use crate::provider::print_address;

#[derive(Clone)]
struct Upstream {
    url: String,
    http: reqwest::Client,
}

/// Serves on a free port, which is printed, until the process is killed.
pub(crate) async fn serve(provider: &SocketAddr) -> anyhow::Result<()> {
    let upstream = Upstream {
        url: format!("http://{provider}/v1/chat/completions"),
        http: reqwest::Client::builder().no_proxy().build()?,
    };
    let router = Router::new().route("/v1/chat/completions", post(pass_on)).with_state(upstream);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    print_address(&listener)?;
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router)
        .await?;
    Ok(())
}

async fn pass_on(State(upstream): State<Upstream>, body: Bytes) -> Response {
    let asked = upstream.http.post(&upstream.url).header(header::CONTENT_TYPE, "application/json").body(body);
    match asked.send().await {
        Ok(answer) => {
            let body = Body::from_stream(answer.bytes_stream());
            ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
