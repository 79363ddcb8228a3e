-- What calls that are not over are recovered from.
CREATE TABLE live_calls (
    call_id TEXT PRIMARY KEY,
    engine_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    session_id TEXT,
    kept_at DOUBLE PRECISION NOT NULL,
    state_sealed BYTEA NOT NULL
);
