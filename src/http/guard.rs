//! Who may speak to the service, by host name and by site. What knows no users answers only this machine.
//!
//! Without that any web page could reach a service on the visitor's own machine (DNS rebinding). Where every request
//! brings a token a page has nothing to gain from it, and browsers keep foreign pages from reading answers (`cors`).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, problem::Problem};

/// The names of this machine.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The hosts and origins that are let in.
#[derive(Clone, Debug)]
pub struct HostGuard {
    /// The `Host` headers that are answered; none means all.
    pub hosts: Option<Allowed>,
    /// The origins whose pages may read answers.
    pub origins: Allowed,
    /// What happens to other origins.
    pub foreign: ForeignOrigins,
}

/// A list of hosts or origins.
#[derive(Clone, Debug)]
pub enum Allowed {
    /// Those of this machine, whatever their port.
    ThisMachine,
    /// These, lower case; hosts without a port.
    Only(Vec<String>),
}

/// What happens to a request of a page that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignOrigins {
    /// It is refused, for it could do what the page's visitor may do.
    Refuse,
    /// It is answered, and the browser keeps the answer from the page.
    Ignore,
}

/// Refuses a foreign `Host` with 421 and, where pages could do harm, a foreign `Origin` with 403.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.guard.verdict(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl HostGuard {
    /// Returns the origin of the page that asks, if it may read the answer.
    pub(super) fn known_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        origin.to_str().is_ok_and(|origin| self.knows_origin(origin)).then_some(origin)
    }

    fn verdict(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.knows_host(host) {
            return Err(Problem::WrongHost);
        }
        let is_foreign = headers.contains_key(header::ORIGIN) && self.known_origin(headers).is_none();
        match self.foreign {
            ForeignOrigins::Refuse if is_foreign => Err(Problem::Forbidden(
                "this origin may not use the service; see CORS_ALLOWED_ORIGINS".into(),
            )),
            ForeignOrigins::Refuse | ForeignOrigins::Ignore => Ok(()),
        }
    }

    fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        match &self.hosts {
            None => true,
            Some(Allowed::ThisMachine) => THIS_MACHINE.contains(&name.as_str()),
            Some(Allowed::Only(hosts)) => hosts.contains(&name),
        }
    }

    fn knows_origin(&self, origin: &str) -> bool {
        match &self.origins {
            Allowed::Only(origins) => origins.iter().any(|known| known == origin),
            Allowed::ThisMachine => {
                let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                host.is_some_and(|host| THIS_MACHINE.contains(&without_port(host)))
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
        let (hosts, origins) = (Some(Allowed::ThisMachine), Allowed::ThisMachine);
        verdict_of(&HostGuard { hosts, origins, foreign: ForeignOrigins::Refuse }, host, origin)
    }

    fn verdict_of(guard: &HostGuard, host: &str, origin: Option<&str>) -> Option<String> {
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

    #[test]
    fn with_tokens_pages_from_elsewhere_are_answered_and_hosts_only_count_when_they_are_named() {
        let origins = || Allowed::Only(Vec::new());
        let any = HostGuard { hosts: None, origins: origins(), foreign: ForeignOrigins::Ignore };
        assert_eq!(verdict_of(&any, "api.example", Some("https://evil.example")), None);
        let hosts = Some(Allowed::Only(vec!["api.example".into()]));
        let named = HostGuard { hosts, origins: origins(), foreign: ForeignOrigins::Ignore };
        assert_eq!(verdict_of(&named, "API.example:443", None), None);
        assert_eq!(verdict_of(&named, "localhost", None).as_deref(), Some("WrongHost"));
    }
}
