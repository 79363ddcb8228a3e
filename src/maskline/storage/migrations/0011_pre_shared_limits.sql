-- What each engine has of the limits that all of them hold together.
CREATE TABLE usages (
    account_id TEXT NOT NULL,
    number TEXT NOT NULL,
    engine_id TEXT NOT NULL,
    places BIGINT NOT NULL,
    begun BIGINT NOT NULL,
    running TEXT NOT NULL,
    kept_until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account_id, number, engine_id)
) /* clustered */;
CREATE INDEX usages_to_forget ON usages (kept_until);
