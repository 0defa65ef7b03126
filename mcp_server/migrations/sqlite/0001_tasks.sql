-- Times are RFC 3339 text in UTC. A deleted task keeps its row, so that its number can never be given again.
-- The folded columns hold the text without case, for searching; SQLite itself folds only ASCII.
CREATE TABLE tasks (
    user_id            TEXT    NOT NULL,
    number             INTEGER NOT NULL,
    title              TEXT    NOT NULL,
    folded_title       TEXT    NOT NULL,
    description        TEXT,
    folded_description TEXT,
    status             TEXT    NOT NULL,
    priority           TEXT    NOT NULL,
    created_at         TEXT    NOT NULL,
    updated_at         TEXT    NOT NULL,
    completed_at       TEXT,
    deleted_at         TEXT,
    PRIMARY KEY (user_id, number)
) STRICT;

-- The last number that each user was given.
CREATE TABLE task_counters (
    user_id TEXT    NOT NULL PRIMARY KEY,
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each keyed call did. The result is empty only inside the transaction that claims the key.
CREATE TABLE tool_effects (
    user_id        TEXT NOT NULL,
    call_key       TEXT NOT NULL,
    tool           TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    result         TEXT,
    created_at     TEXT NOT NULL,
    PRIMARY KEY (user_id, call_key)
) STRICT;
