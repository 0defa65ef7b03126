-- What a run needs to go on after its process died: when the user asked for its end, whether its first reply may or must
-- call a tool, and the messages that were withdrawn, each with the id of the event that told so.
ALTER TABLE runs ADD COLUMN cancel_requested_at TIMESTAMPTZ;
ALTER TABLE runs ADD COLUMN tool_choice TEXT;
ALTER TABLE runs ADD COLUMN discarded TEXT;
