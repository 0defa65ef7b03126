//! Who may speak to a service that knows no users: nobody from another host name or another site.
//!
//! Without this any web page could reach a service on the visitor's own machine (DNS rebinding).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, problem::Problem};

/// The hosts and origins that are let in.
#[derive(Clone, Debug)]
pub struct HostGuard {
    /// Host names without a port, lower case.
    pub hosts: Vec<String>,
    /// Origins; none means those of this machine, whatever their port.
    pub origins: Option<Vec<String>>,
}

/// Refuses a foreign `Host` with 421 and a foreign `Origin` with 403.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.guard.verdict(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl HostGuard {
    fn verdict(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.knows_host(host) {
            return Err(Problem::WrongHost);
        }
        match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
            Some(origin) if !self.knows_origin(origin) => Err(Problem::Forbidden(
                "this origin may not use the service; see CORS_ALLOWED_ORIGINS".into(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        self.hosts.contains(&name)
    }

    fn knows_origin(&self, origin: &str) -> bool {
        match &self.origins {
            Some(origins) => origins.iter().any(|known| known == origin),
            None => {
                let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&without_port(host)))
            }
        }
    }
}

/// Drops a port: `localhost:8000` is `localhost`, `[::1]:8000` is `[::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn verdict(host: &str, origin: Option<&str>) -> Option<String> {
        let hosts = ["localhost", "127.0.0.1", "[::1]"].map(String::from).to_vec();
        let guard = HostGuard { hosts, origins: None };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        guard.verdict(&headers).err().map(|problem| format!("{problem:?}"))
    }

    #[test]
    fn this_machine_is_known_by_its_names_on_any_port() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"] {
            assert_eq!(verdict(host, None), None, "{host}");
        }
    }

    #[test]
    fn a_foreign_host_is_refused() {
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "", "192.0.2.1"]
        {
            assert_eq!(verdict(host, None).as_deref(), Some("WrongHost"), "{host}");
        }
    }

    #[test]
    fn only_pages_of_this_machine_may_use_it() {
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173"] {
            assert_eq!(verdict("localhost", Some(origin)), None, "{origin}");
        }
        for origin in
            ["https://evil.example", "null", "http://localhost.evil.example", "file://", "http://localhost:x"]
        {
            assert!(verdict("localhost", Some(origin)).is_some(), "{origin}");
        }
    }
}
