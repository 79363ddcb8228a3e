-- Who makes a table of calls, and until when it is nobody else's.
ALTER TABLE exports ADD COLUMN owner TEXT;
ALTER TABLE exports ADD COLUMN leased_until DOUBLE PRECISION NOT NULL DEFAULT 0;
