//! The settings of the HTTP side: where to listen, whom to answer, how much to take in.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::{
    address::{Host, parse_allowed_host, parse_origin},
    fault::Fault,
    reader::Reader,
};

/// The most that `MAX_BODY_BYTES` can be; a body is held in memory whole.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// The settings of the HTTP side.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen.
    pub host: Host,
    /// The port to listen on.
    pub port: u16,
    /// The `Host` headers that are answered.
    pub allowed_hosts: Hosts,
    /// The origins whose pages may call.
    pub origins: Origins,
    /// The silence after which a stream gets a comment line.
    pub heartbeat: Duration,
    /// What a ChatKit client means by hanging up.
    pub chatkit_on_disconnect: HangUp,
    /// How many may listen to runs at once.
    pub max_streams: usize,
    /// The largest body of a request.
    pub max_body_bytes: usize,
}

/// What a client means by hanging up in the middle of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Stop.
    Cancel,
    /// Nothing.
    Continue,
}

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cancel => "cancel",
            Self::Continue => "continue",
        })
    }
}

impl HangUp {
    fn parse(word: &str) -> Option<Self> {
        [Self::Cancel, Self::Continue].into_iter().find(|choice| choice.to_string() == word)
    }
}

/// The `Host` headers that are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Nobody named any; what that means depends on how users are known.
    Unnamed,
    /// These and no other: lower case, without port, IPv6 in brackets.
    Only(Vec<String>),
}

/// The origins whose pages may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Nobody named any; what that means depends on how users are known.
    Unnamed,
    /// These and no other: scheme, host and port, lower case.
    Only(Vec<String>),
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let host = Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Self {
            host: reader.parsed("HOST", host, "an IP address or localhost", Host::parse),
            port: reader.number("PORT", 8000, 0..=u16::MAX),
            allowed_hosts: read_allowed_hosts(reader),
            origins: read_origins(reader),
            heartbeat: reader.seconds("HEARTBEAT", 15),
            chatkit_on_disconnect: reader.parsed(
                "CHATKIT_ON_DISCONNECT",
                HangUp::Cancel,
                "cancel or continue",
                HangUp::parse,
            ),
            max_streams: reader.number("MAX_STREAMS", 10_000, 1..=1_000_000),
            max_body_bytes: reader.number("MAX_BODY_BYTES", 262_144, 1..=LARGEST_BODY),
        }
    }
}

fn read_allowed_hosts(reader: &mut Reader<'_>) -> Hosts {
    let name = "ALLOWED_HOSTS";
    let listed = reader.list(name);
    if listed.is_empty() {
        return Hosts::Unnamed;
    }
    let expected = "host names without scheme and port";
    Hosts::Only(parse_each(reader, name, &listed, expected, parse_allowed_host))
}

fn read_origins(reader: &mut Reader<'_>) -> Origins {
    let name = "CORS_ALLOWED_ORIGINS";
    let listed = reader.list(name);
    if listed.is_empty() {
        return Origins::Unnamed;
    }
    let expected = "origins such as https://app.example.org";
    Origins::Only(parse_each(reader, name, &listed, expected, parse_origin))
}

/// Parses the places of a list, with a fault for each that is none of its kind.
fn parse_each(
    reader: &mut Reader<'_>,
    name: &str,
    listed: &[String],
    expected: &str,
    parse: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut parsed = Vec::with_capacity(listed.len());
    for place in listed {
        match parse(place) {
            Some(place) => parsed.push(place),
            None => reader.fault(Fault::value(name, expected, place)),
        }
    }
    parsed
}
