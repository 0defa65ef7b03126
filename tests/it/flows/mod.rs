//! Stories with real processes: the service, its task server, a provider on a socket, and what happens to them.

mod check;
mod clients_doc;
mod context;
mod conversation;
mod crash;
mod dawdlers;
mod durable;
mod follow;
mod health;
mod hostile;
mod idempotency;
mod logs;
mod provider;
mod provider_failures;
mod readers;
mod readme;
mod recovery;
mod rounds;
mod secrets;
mod start;
mod stop;
mod storage;
mod store;
mod tool_server;
mod writes;
