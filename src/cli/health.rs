//! Asks a running service of the same configuration whether it is ready.
//!
//! Images have no curl, and what watches a container wants a command that says yes or no.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode, header, redirect::Policy};

use crate::config::{Host, Hosts, Http};

/// How long the answer may take as a whole.
const LIMIT: Duration = Duration::from_secs(3);

/// Returns what the service says of itself; fails if that is not that it can do its work.
pub(super) async fn ask(http: &Http) -> anyhow::Result<String> {
    let url = format!("http://{}:{}/health/ready", reachable(&http.host), http.port);
    let client = Client::builder().timeout(LIMIT).redirect(Policy::none()).no_proxy().build()?;
    let request = client.get(&url).header(header::HOST, welcome(&http.allowed_hosts));
    let response = request.send().await.with_context(|| format!("{url} does not answer"))?;
    let status = response.status();
    let said = response.text().await.with_context(|| format!("{url} does not finish its answer"))?;
    if status != StatusCode::OK {
        bail!("{url} answers {status}: {said}");
    }
    Ok(said)
}

/// Returns where a service that listens on `host` can be reached from its own machine.
fn reachable(host: &Host) -> String {
    match host {
        Host::Localhost => "localhost".into(),
        Host::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ipv4Addr::LOCALHOST.to_string(),
        Host::Address(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => format!("[{}]", Ipv6Addr::LOCALHOST),
        Host::Address(IpAddr::V4(address)) => address.to_string(),
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
    }
}

/// Returns a `Host` header that the service answers.
fn welcome(hosts: &Hosts) -> &str {
    match hosts {
        Hosts::Unnamed => "localhost",
        Hosts::Only(hosts) => hosts.first().map_or("localhost", String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_on_all_addresses_is_asked_on_its_own_machine() {
        let cases = [
            ("0.0.0.0", "127.0.0.1"),
            ("::", "[::1]"),
            ("::1", "[::1]"),
            ("127.0.0.2", "127.0.0.2"),
            ("localhost", "localhost"),
        ];
        for (listens, asked) in cases {
            let host = listens.parse().map_or(Host::Localhost, Host::Address);
            assert_eq!(reachable(&host), asked, "{listens}");
        }
    }
}
