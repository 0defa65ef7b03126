-- A deleted task keeps its row, so that its number can never be given again.
-- The folded columns hold the text without case, for searching, folded the same way as on SQLite.
CREATE TABLE tasks (
    user_id            TEXT        NOT NULL,
    number             BIGINT      NOT NULL,
    title              TEXT        NOT NULL,
    folded_title       TEXT        NOT NULL,
    description        TEXT,
    folded_description TEXT,
    status             TEXT        NOT NULL,
    priority           TEXT        NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    completed_at       TIMESTAMPTZ,
    deleted_at         TIMESTAMPTZ,
    PRIMARY KEY (user_id, number)
);

-- The last number that each user was given.
CREATE TABLE task_counters (
    user_id TEXT   NOT NULL PRIMARY KEY,
    last    BIGINT NOT NULL
);

-- What each keyed call did. The result is empty only inside the transaction that claims the key.
CREATE TABLE tool_effects (
    user_id        TEXT        NOT NULL,
    call_key       TEXT        NOT NULL,
    tool           TEXT        NOT NULL,
    arguments_hash TEXT        NOT NULL,
    result         TEXT,
    created_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, call_key)
);
