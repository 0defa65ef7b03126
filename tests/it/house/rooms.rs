//! The rooms of the house and who may use whom: the table of the design, section 3.

use super::{paths, source::File};

/// Which rooms a room may use, beside itself. `app` is the composition root and may use everything.
///
/// Three rows go beyond the design. The serve loop of `http` spawns its connections where the end waits for them, and
/// refuses when it drains: `shutdown`. It serves them at `desks`, which are not in the design. `cli` starts the service with the system's `clock`, and `telemetry` with the
/// format that the configuration names; it also makes tokens for trying, so it uses `auth` and the user ids of `domain`, and prints the description of
/// the API, which is of `http`.
const ROOMS: [(&str, &[&str]); 19] = [
    ("domain", &[]),
    ("clock", &[]),
    ("shutdown", &[]),
    ("desks", &[]),
    ("telemetry", &["domain"]),
    ("config", &["domain"]),
    ("wire", &["domain"]),
    ("model", &["domain", "clock", "shutdown", "telemetry"]),
    ("tools", &["domain", "clock", "shutdown", "telemetry"]),
    ("store", &["domain", "clock", "telemetry"]),
    ("policy", &["domain", "clock", "store"]),
    ("agent", &["domain", "telemetry"]),
    ("runs", &["domain", "agent", "store", "clock", "shutdown", "telemetry"]),
    ("auth", &["domain", "config", "clock"]),
    (
        "http",
        &["domain", "runs", "store", "policy", "auth", "wire", "clock", "telemetry", "shutdown", "desks"],
    ),
    ("app", &["*"]),
    ("cli", &["app", "auth", "config", "clock", "desks", "domain", "http", "telemetry"]),
    ("main", &["cli", "telemetry"]),
    ("lib", &[]),
];

/// Where foreign crates, and parts of the standard library, may be named: by the beginnings of files' paths.
const FOREIGN: [(&str, &[&str]); 16] = [
    ("axum", &["src/http/"]),
    ("tower_http", &["src/http/"]),
    ("sqlx", &["db/src/", "src/store/", "mcp_server/src/store/"]),
    ("sea_query", &["db/src/", "src/store/", "mcp_server/src/store/"]),
    ("rmcp", &["src/tools/", "mcp_server/src/"]),
    ("async_openai", &["src/model/"]),
    ("utoipa", &["src/http/", "src/wire/"]),
    ("utoipa_swagger_ui", &["src/http/"]),
    ("parlor_db", &["src/store/", "src/config/", "src/app/", "src/cli/", "mcp_server/src/"]),
    ("parlor_tasks", &["src/app/", "src/cli/", "mcp_server/src/main.rs"]),
    ("parlor_failpoints", &["src/runs/", "src/agent/", "src/main.rs", "mcp_server/src/server.rs"]),
    ("parlor_heap", &["src/app/"]),
    ("libc", &["heap/src/"]),
    ("jiff", &["src/domain/timezone.rs"]),
    ("std::env", &["src/config/", "src/main.rs", "mcp_server/src/main.rs", "db/src/testing.rs"]),
    ("std::thread", &["db/src/testing.rs", "db/src/writer.rs", "src/desks.rs"]),
];

/// The terminal client. It knows of the service what every client knows, its public API, so it uses no other room.
const CLIENT: &str = "src/cli/chat/";

/// The only thing of `parlor-db` that the configuration may use: it reads an address, it opens nothing.
const OF_THE_DATABASE_FOR_CONFIG: &str = "DatabaseUrl";

/// Where tasks are spawned: on the trackers that the end waits for, or at desks, which are given what a tracker knows of.
const SPAWNING: [&str; 3] = ["src/shutdown.rs", "src/desks.rs", "db/src/writer.rs"];

/// Words that spawn, or hold what is spawned.
const SPAWNS: [&str; 6] =
    ["spawn", "spawn_blocking", "spawn_local", "TaskTracker", "JoinSet", "block_in_place"];

/// Lists the rooms that a file of the service uses and may not.
pub fn faults(file: &File) -> Vec<String> {
    let module = module(&file.path);
    let Some((room, allowed)) = ROOMS.iter().find(|(room, _)| *room == module[0]) else {
        return vec![format!("{}: `{}` is no room of the design", file.path, module[0])];
    };
    let allowed = if file.path.starts_with(CLIENT) { &[] } else { *allowed };
    let used = paths::of(file.production()).into_iter().filter_map(|path| room_of(&module, &path));
    let stranger =
        used.filter(|used| used != room && !allowed.contains(&"*") && !allowed.contains(&used.as_str()));
    let mut faults: Vec<String> =
        stranger.map(|used| format!("{}: `{room}` uses `{used}`", file.path)).collect();
    faults.dedup();
    faults
}

/// Lists the foreign crates that a file names and may not.
pub fn foreign_faults(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    for path in paths::of(file.production()) {
        let name = path.join("::");
        let is_below =
            |of: &str| name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let Some((foreign, rooms)) = FOREIGN.iter().find(|(foreign, _)| is_below(foreign)) else { continue };
        let is_config = file.path.starts_with("src/config/") && *foreign == "parlor_db";
        let is_at_home = rooms.iter().any(|room| file.path.starts_with(room));
        if !is_at_home || is_config && path.get(1).is_none_or(|part| part != OF_THE_DATABASE_FOR_CONFIG) {
            faults.push(format!("{}: {name}", file.path));
        }
    }
    faults
}

/// Lists what a file spawns although no end waits for it.
pub fn spawning_faults(file: &File) -> Vec<String> {
    if SPAWNING.contains(&file.path.as_str()) || file.path == "db/src/testing.rs" {
        return Vec::new();
    }
    let found = paths::of(file.production()).into_iter();
    let spawning = found.filter(|path| path.iter().any(|part| SPAWNS.contains(&part.as_str())));
    spawning.map(|path| format!("{}: {}", file.path, path.join("::"))).collect()
}

/// Returns the module of a file: `src/http/chat.rs` is `http`, `chat`.
fn module(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').map(str::to_owned).collect()
}

/// Returns the room that a path leads into, if it is one of ours.
fn room_of(module: &[String], path: &[String]) -> Option<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    match path.first().map(String::as_str) {
        Some("crate" | "parlor") => path.get(1).cloned(),
        Some("super") if ups >= module.len() => path.get(ups).cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_room_that_uses_another_is_seen_however_it_gets_there() {
        let planted = "use crate::{domain::Item, http::App};\nfn f() { crate::store::open(); super::super::runs::go() }";
        let expected = ["`wire` uses `http`", "`wire` uses `store`", "`wire` uses `runs`"];
        let expected = expected.map(|fault| format!("src/wire/native.rs: {fault}"));
        assert_eq!(faults(&file("src/wire/native.rs", planted)), expected);
        assert_eq!(
            faults(&file("src/wire/mod.rs", "use super::runs::Runs;")),
            ["src/wire/mod.rs: `wire` uses `runs`"]
        );
        assert_eq!(
            faults(&file("src/attic/mod.rs", "")),
            ["src/attic/mod.rs: `attic` is no room of the design"]
        );
    }

    #[test]
    fn the_terminal_client_uses_no_other_room_and_the_rest_of_its_room_may() {
        let planted = "use super::{Failure, line::Line}; use crate::domain::ItemId;";
        assert_eq!(
            faults(&file("src/cli/chat/mod.rs", planted)),
            ["src/cli/chat/mod.rs: `cli` uses `domain`"]
        );
        assert_eq!(faults(&file("src/cli/token.rs", planted)), [""; 0]);
    }

    #[test]
    fn what_a_room_may_use_is_no_fault() {
        let allowed =
            "//! Not [`crate::http`].\nuse super::{shapes::A, super::domain::B};\nuse crate::domain::Item;";
        assert_eq!(faults(&file("src/wire/native.rs", allowed)), [""; 0]);
        let in_tests = "#[cfg(test)]\nmod tests { use crate::http::App; }";
        assert_eq!(faults(&file("src/wire/native.rs", in_tests)), [""; 0]);
    }

    #[test]
    fn a_foreign_crate_outside_its_rooms_is_seen() {
        let planted = "use sqlx::Row;\nfn f() { std::env::var(\"X\"); axum::serve() }";
        let expected =
            ["sqlx::Row", "std::env::var", "axum::serve"].map(|name| format!("src/runs/live.rs: {name}"));
        assert_eq!(foreign_faults(&file("src/runs/live.rs", planted)), expected);
        let config = file("src/config/storage.rs", "use parlor_db::{DatabaseUrl, Db}; use std::env;");
        assert_eq!(foreign_faults(&config), ["src/config/storage.rs: parlor_db::Db"]);
        assert_eq!(foreign_faults(&file("src/store/items.rs", "use sqlx::Row;")), [""; 0]);
    }

    #[test]
    fn a_task_that_nobody_waits_for_is_seen() {
        let planted = "use tokio::task::JoinSet;\nfn f() { tokio::spawn(async {}); shutdown.spawn(g()); }";
        let expected =
            ["tokio::task::JoinSet", "tokio::spawn"].map(|name| format!("src/runs/drive.rs: {name}"));
        assert_eq!(spawning_faults(&file("src/runs/drive.rs", planted)), expected);
        assert_eq!(spawning_faults(&file("src/shutdown.rs", planted)), [""; 0]);
    }
}
