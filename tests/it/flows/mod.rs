//! Stories with real processes: the service, its task server, a provider on a socket, and what happens to them.

mod conversation;
mod crash;
mod idempotency;
mod provider;
mod start;
mod stop;
mod tool_server;
