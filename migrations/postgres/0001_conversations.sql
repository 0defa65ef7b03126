-- Conversations, their runs and items. Words that grow (status, kind, state) carry no CHECK.
CREATE TABLE conversations (
    id UUID NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT,
    title_by_user BOOLEAN NOT NULL,
    last_position BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX conversations_by_user ON conversations (user_id, id);

CREATE TABLE runs (
    id UUID NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    conversation_id UUID NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    resumes UUID UNIQUE,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    owner TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    last_event_id BIGINT NOT NULL,
    partial_message_id UUID,
    partial_text TEXT,
    usage TEXT NOT NULL,
    error_code TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    first_delta_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ
);
CREATE INDEX runs_by_conversation ON runs (conversation_id);
-- At most one running run per conversation: the promise is kept here, not by a lock in memory.
CREATE UNIQUE INDEX runs_running ON runs (conversation_id) WHERE status = 'running';
-- For looking after the running ones, which are few however many there ever were.
CREATE INDEX runs_open ON runs (id) WHERE status = 'running';

CREATE TABLE items (
    conversation_id UUID NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    id UUID NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    run_id UUID NOT NULL,
    event_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (conversation_id, position)
);
CREATE INDEX items_by_run ON items (run_id, position);

CREATE TABLE tool_calls (
    id UUID NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    run_id UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    item_id UUID NOT NULL,
    ordinal INTEGER NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    arguments TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT,
    started_event_id BIGINT,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ
);
CREATE INDEX tool_calls_by_run ON tool_calls (run_id, id);

CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    run_id UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run_id);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
