-- An INTEGER of SQLite is long enough.
SELECT 1;
