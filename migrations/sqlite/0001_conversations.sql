-- Conversations, their runs and items. Words that grow (status, kind, state) carry no CHECK.
CREATE TABLE conversations (
    id BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT,
    title_by_user INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX conversations_by_user ON conversations (user_id, id);

CREATE TABLE runs (
    id BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    resumes BLOB UNIQUE,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    owner TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    last_event_id INTEGER NOT NULL,
    partial_message_id BLOB,
    partial_text TEXT,
    usage TEXT NOT NULL,
    error_code TEXT,
    created_at TEXT NOT NULL,
    first_delta_at TEXT,
    ended_at TEXT
) STRICT;
CREATE INDEX runs_by_conversation ON runs (conversation_id);
-- At most one running run per conversation: the promise is kept here, not by a lock in memory.
CREATE UNIQUE INDEX runs_running ON runs (conversation_id) WHERE status = 'running';
-- For looking after the running ones, which are few however many there ever were.
CREATE INDEX runs_open ON runs (id) WHERE status = 'running';

CREATE TABLE items (
    conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    run_id BLOB NOT NULL,
    event_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (conversation_id, position)
) STRICT;
CREATE INDEX items_by_run ON items (run_id, position);

CREATE TABLE tool_calls (
    id BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    item_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    arguments TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT,
    started_event_id INTEGER,
    started_at TEXT,
    ended_at TEXT
) STRICT;
CREATE INDEX tool_calls_by_run ON tool_calls (run_id, id);

CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    run_id BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run_id);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
