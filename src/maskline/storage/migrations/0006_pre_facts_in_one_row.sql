-- The facts that a commit has of one subject share a row; each that is there has a row of its own.
ALTER TABLE facts ADD COLUMN many INTEGER NOT NULL DEFAULT 1;
ALTER TABLE facts ADD COLUMN earlier TEXT;
-- Which numbers are ours is read by position.
CREATE UNIQUE INDEX virtual_numbers_by_position ON virtual_numbers (position);
