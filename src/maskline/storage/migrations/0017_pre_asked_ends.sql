-- Calls that somebody asked to end, in progress or not begun yet. Of calls in progress that were kept before only the main
-- account is known.
ALTER TABLE live_calls ADD COLUMN subaccount_id TEXT;
ALTER TABLE live_calls ADD COLUMN end_asked_at DOUBLE PRECISION;
CREATE INDEX live_calls_to_end ON live_calls (engine_id) WHERE end_asked_at IS NOT NULL;
ALTER TABLE requested_flows ADD COLUMN end_asked_at DOUBLE PRECISION;
