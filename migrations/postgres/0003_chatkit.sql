-- What people think of answers.
CREATE TABLE feedback (
    item_id UUID NOT NULL PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- Lists that were changed by a button after the call that brought them: what the widget shows since.
CREATE TABLE lists (
    call_id UUID NOT NULL PRIMARY KEY REFERENCES tool_calls (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    result TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
