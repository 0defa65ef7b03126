//! An answer that is no reply: a status, headers and the beginning of a body, from which comes what went wrong.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, StatusCode};
use reqwest::Response;
use tokio::time::timeout;

use super::failure;
use crate::domain::ModelError;

/// The most of the body that is read, in bytes, and how long that may take.
const BODY_LIMIT: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// The answer.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// Reads what an answer says, as far as that comes soon and is not too long.
    pub(super) async fn read(mut response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(bytes)) = response.chunk().await {
                body.extend_from_slice(&bytes);
                if body.len() >= BODY_LIMIT {
                    break;
                }
            }
        };
        drop(timeout(BODY_TIMEOUT, reading).await); // what came until then will do
        body.truncate(BODY_LIMIT);
        Self { status, headers, body }
    }

    /// Returns the status.
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns the body as text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Says what went wrong.
    pub(super) fn into_error(self) -> ModelError {
        failure::of_answer(self.status, &self.headers, &self.body)
    }
}
