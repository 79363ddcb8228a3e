-- Attempts of webhooks, endpoints that fail, and replays that are told apart.
ALTER TABLE outbox ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_unsent ON outbox (account_id, created_at, id) WHERE state IN ('failed', 'held');

-- Tries of webhooks. answer_sealed: empty where there was none.
CREATE TABLE attempts (
    outbox_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    milliseconds INTEGER NOT NULL,
    status INTEGER,
    fault TEXT NOT NULL,
    answer_sealed BYTEA NOT NULL,
    PRIMARY KEY (outbox_id, number)
) /* clustered */;

-- Endpoints whose last try failed, and those that are disabled. url: without query and fragment.
CREATE TABLE failing_endpoints (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    url TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    failures BIGINT NOT NULL,
    last_at DOUBLE PRECISION NOT NULL,
    disabled_at DOUBLE PRECISION,
    reason TEXT NOT NULL
);
