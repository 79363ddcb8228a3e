-- In which form a call is kept: engines that do not know it leave it to those that do.
ALTER TABLE live_calls ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
