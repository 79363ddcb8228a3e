-- Webhooks of a session are numbered by milliseconds since 1970.
ALTER TABLE outbox ALTER COLUMN sequence TYPE BIGINT;
