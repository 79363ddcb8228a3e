-- What an account may use; without: anything, as before.
ALTER TABLE accounts ADD COLUMN limits TEXT;
-- Why its calls are stopped, and the countries that it is known to call.
ALTER TABLE accounts ADD COLUMN stopped TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN countries TEXT NOT NULL DEFAULT '';
