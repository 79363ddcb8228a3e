-- Processes that live, and who carries a call: those that another one has taken over are not to be written any more.
ALTER TABLE live_calls ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
CREATE INDEX live_calls_of_engine ON live_calls (engine_id);
CREATE TABLE owners (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    address TEXT NOT NULL
);
