//! Any provider that speaks OpenAI's chat completions, read leniently: what they send differs more than they
//! admit.
//!
//! A request goes down this list and its reply comes up again:
//!
//! - `client`: implements `Model`; sends with async-openai. `endpoint`: where to, and with which headers
//! - `body`: reads the body of the answer, with a limit on every wait
//! - `repair`: any history to one that providers accept; `request`: that and our tools as a JSON body
//! - `offer`: a list of tools as text, made once; `schema`: a tool's schema in the provider's dialect; `strict`: in the
//!   strictest one; `names`: a tool's name as the provider takes it
//! - `lessons`: what a refusal teaches about the parameters that a model takes
//! - `decode`: joins the readers that follow
//! - `sse`: bytes to server-sent events
//! - `chunk`: one event's JSON to the few fields that matter; `usual`: the same, faster, for a piece of text
//! - `assembly`, `meta`: fragments of calls and of reasoning to whole ones
//! - `reply`: chunks to model events, and whether the reply is whole; `ending`: words for the end of one
//! - `ours`: what comes up again in our own terms: names, arguments, prices
//! - `answer`: an answer that is no reply; `failure`: everything that goes wrong to a `ModelError`

mod answer;
mod assembly;
mod body;
mod chunk;
mod client;
mod decode;
mod ending;
mod endpoint;
mod failure;
mod lessons;
mod meta;
mod names;
mod offer;
mod ours;
mod repair;
#[cfg(test)]
mod replay;
mod reply;
mod request;
mod schema;
mod sse;
mod strict;
mod transport;
mod usage;
mod usual;

pub(super) use client::Client;
pub(super) use endpoint::Endpoint;
