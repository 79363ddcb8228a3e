-- How often a webhook was taken without a word since: a try is counted when something came of it.
ALTER TABLE outbox ADD COLUMN leases INTEGER NOT NULL DEFAULT 0;
-- The newest of all accounts, for the operator.
CREATE INDEX outbox_by_time ON outbox (created_at, sequence, id);
