-- The position from which on a model is shown the conversation; none while it is shown from its beginning.
ALTER TABLE conversations ADD COLUMN context_start INTEGER;
