-- The tables, as one text for SQLite and PostgreSQL. Times are wall seconds (UTC). What ends in _sealed is
-- opened by storage/crypto.py only; what ends in _hash is its keyed hash. Virtual numbers, ids and times are in clear.
-- Clustered: SQLite keeps the rows in the primary key's own tree (WITHOUT ROWID); other databases read a comment.

-- Numbers that only grow: the schema's version, positions, the configuration's version, and up to which fact's position
-- `forget` has looked.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('schema', 17), ('facts', 0), ('positions', 0), ('configuration', 0),
    ('forgotten', 0);

-- One known sentence, sealed: tells at start whether the key file belongs to this database.
CREATE TABLE key_check (
    name TEXT PRIMARY KEY,
    value_sealed BYTEA NOT NULL
);

-- auth_tokens_sealed: a JSON list. removed_at: a removed subaccount, which its sessions and calls still name.
-- external_id: 8x8's subAccountId, or empty; one of a main account and its subaccounts has it.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    parent_id TEXT,
    auth_tokens_sealed BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    enabled BOOLEAN NOT NULL,
    policy TEXT,
    modified_at DOUBLE PRECISION NOT NULL,
    external_id TEXT NOT NULL,
    redaction TEXT NOT NULL,
    removed_at DOUBLE PRECISION,
    limits TEXT,
    stopped TEXT NOT NULL DEFAULT '',
    countries TEXT NOT NULL DEFAULT ''
);
CREATE INDEX accounts_by_parent ON accounts (parent_id, created_at);
CREATE UNIQUE INDEX accounts_by_external_id ON accounts (COALESCE(parent_id, id), external_id)
    WHERE external_id <> '' AND removed_at IS NULL;

-- Bearer keys.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    key_hash BYTEA NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    enabled BOOLEAN NOT NULL
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, created_at);

-- pool_id: the subaccount that has the number, or the account. position: the order of first-fit.
-- exclusive_until: wall seconds until when it is the open number of one session. longest_pin: digits of the longest PIN
-- that a session ever had on it.
CREATE TABLE virtual_numbers (
    number TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    pool_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    reference_id TEXT NOT NULL,
    country TEXT,
    state TEXT NOT NULL,
    used_for TEXT NOT NULL,
    alias TEXT NOT NULL,
    fallback_sealed BYTEA,
    added_at DOUBLE PRECISION NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL,
    exclusive_until DOUBLE PRECISION NOT NULL,
    longest_pin INTEGER NOT NULL
);
CREATE UNIQUE INDEX virtual_numbers_in_pool ON virtual_numbers (pool_id, position);
CREATE UNIQUE INDEX virtual_numbers_by_position ON virtual_numbers (position);
CREATE INDEX virtual_numbers_by_account ON virtual_numbers (account_id, position);
CREATE INDEX virtual_numbers_to_share ON virtual_numbers (pool_id, position)
    WHERE state = 'active' AND used_for = 'shared';
CREATE INDEX virtual_numbers_to_share_by_country ON virtual_numbers (pool_id, country, position)
    WHERE state = 'active' AND used_for = 'shared';
CREATE INDEX virtual_numbers_with_fallback ON virtual_numbers (number) WHERE fallback_sealed IS NOT NULL;
CREATE INDEX virtual_numbers_for_pins ON virtual_numbers (pool_id, position)
    WHERE state = 'active' AND used_for = 'pin';

-- options: JSON, whatever nothing is looked up by.
CREATE TABLE trunks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    account_id TEXT,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    transport TEXT NOT NULL,
    username TEXT NOT NULL,
    password_sealed BYTEA NOT NULL,
    prefixes TEXT NOT NULL,
    nat BOOLEAN NOT NULL,
    media TEXT NOT NULL,
    options TEXT NOT NULL,
    position BIGINT NOT NULL,
    added_at DOUBLE PRECISION NOT NULL
);

-- options: a JSON object of texts.
CREATE TABLE endpoints (
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    authorization_sealed BYTEA NOT NULL,
    external_id TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    options TEXT NOT NULL,
    secret_sealed BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account_id, kind)
);

-- Where recordings of an account or subaccount go. config_sealed: a JSON object. host_key: the SFTP server's, public.
CREATE TABLE push_configs (
    account_id TEXT PRIMARY KEY,
    config_sealed BYTEA NOT NULL,
    host_key TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL
);

-- Tables of calls that were asked for; their files are on the disk. owner: who makes it, leased_until: and until when it is
-- nobody else's.
CREATE TABLE exports (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    since DOUBLE PRECISION NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    base_url TEXT NOT NULL,
    status TEXT NOT NULL,
    size BIGINT NOT NULL,
    owner TEXT,
    leased_until DOUBLE PRECISION NOT NULL DEFAULT 0
);
CREATE INDEX exports_to_make ON exports (status, created_at);
CREATE INDEX exports_over ON exports (expires_at);

-- trunk_id: empty for any trunk. Money is in millionths of the currency unit, here and below.
CREATE TABLE prices (
    id TEXT PRIMARY KEY,
    trunk_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    prefix TEXT NOT NULL,
    per_minute BIGINT NOT NULL,
    connection BIGINT NOT NULL,
    increment INTEGER NOT NULL
);
CREATE UNIQUE INDEX prices_by_what_they_are_for ON prices (trunk_id, direction, prefix);

-- A write that may be asked for again and must happen once. subject: the id of what it made or changed.
CREATE TABLE once (
    account_id TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    fingerprint_hash BYTEA NOT NULL,
    subject TEXT NOT NULL,
    kept_until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account_id, key_hash)
) /* clustered */;
CREATE INDEX once_to_purge ON once (kept_until);

-- parties_sealed: both numbers and both PINs. options: a JSON object of what differs from the defaults.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    first_party_hash BYTEA,
    second_party_hash BYTEA,
    parties_sealed BYTEA NOT NULL,
    virtual_number TEXT NOT NULL,
    second_virtual_number TEXT,
    pool_mode TEXT NOT NULL,
    options TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    modified_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    planned_duration BIGINT NOT NULL,
    ended_at DOUBLE PRECISION,
    last_interaction_at DOUBLE PRECISION,
    total_call_count BIGINT NOT NULL,
    total_call_billed_duration BIGINT NOT NULL,
    calls_in_progress INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    total_call_amount BIGINT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
-- By party and by number without the account: these tell enough, and each index is a third smaller.
CREATE INDEX sessions_by_first_party ON sessions (first_party_hash, created_at);
CREATE INDEX sessions_by_second_party ON sessions (second_party_hash, created_at);
CREATE INDEX sessions_by_number ON sessions (virtual_number, created_at);
CREATE INDEX sessions_by_second_number ON sessions (second_virtual_number, created_at)
    WHERE second_virtual_number IS NOT NULL;
CREATE INDEX sessions_by_subaccount ON sessions (subaccount_id, created_at) WHERE subaccount_id IS NOT NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_to_end ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_in_progress ON sessions (id) WHERE calls_in_progress > 0;

-- The no-stranger rule: one (key, virtual number) names one session, while it is live or its cool-off runs.
-- A claim whose time is over stays, so that the caller hears "expired", until another session takes it.
CREATE TABLE claims (
    key_hash BYTEA NOT NULL,
    virtual_number TEXT NOT NULL,
    kind TEXT NOT NULL,
    session_id TEXT NOT NULL,
    role TEXT NOT NULL,
    live_until DOUBLE PRECISION NOT NULL,
    held_until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (key_hash, virtual_number)
) /* clustered */;
CREATE INDEX claims_of_number ON claims (virtual_number, held_until);
CREATE INDEX claims_by_pin ON claims (virtual_number, live_until) WHERE kind = 'pin';

-- Calls to the first party that sessions asked for at their creation. leased_until: 0 while nobody has taken it. The row
-- goes with the call's first commit.
CREATE TABLE requested_calls (
    session_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    requested_at DOUBLE PRECISION NOT NULL,
    owner TEXT,
    leased_until DOUBLE PRECISION NOT NULL
) /* clustered */;
CREATE INDEX requested_calls_due ON requested_calls (leased_until, requested_at);

-- Call flows that were acknowledged and are not begun. content_sealed: the request's JSON and the client's id. leases: how
-- often it was taken and not given back. end_asked_at: it is not to be begun any more. The row goes with the call's first
-- commit.
CREATE TABLE requested_flows (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    content_sealed BYTEA NOT NULL,
    valid_until DOUBLE PRECISION,
    requested_at DOUBLE PRECISION NOT NULL,
    owner TEXT,
    leased_until DOUBLE PRECISION NOT NULL,
    leases INTEGER NOT NULL,
    end_asked_at DOUBLE PRECISION
);
CREATE INDEX requested_flows_due ON requested_flows (leased_until, requested_at);

-- Wrong PINs by caller and by number, and callers who gave a right one: rules in masking/pin.py.
CREATE TABLE pin_tallies (
    key_hash BYTEA PRIMARY KEY,
    tries INTEGER NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    locks INTEGER NOT NULL,
    locked_until DOUBLE PRECISION NOT NULL,
    forget_at DOUBLE PRECISION NOT NULL
) /* clustered */;
CREATE INDEX pin_tallies_to_forget ON pin_tallies (forget_at);

CREATE TABLE interactions (
    session_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION NOT NULL,
    caller TEXT NOT NULL,
    first_party_leg_id TEXT,
    second_party_leg_id TEXT,
    duration BIGINT NOT NULL,
    billed_duration BIGINT NOT NULL,
    legs INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    recording_id TEXT,
    PRIMARY KEY (session_id, started_at, call_id)
) /* clustered */;

-- legs: a JSON list without numbers; the numbers of all legs are in parties_sealed. flow_sealed: what a customer's
-- application had done with it, and the customer's own id of the request.
CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    session_id TEXT,
    caller TEXT,
    virtual_number TEXT NOT NULL,
    reference_id TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION NOT NULL,
    outcome TEXT NOT NULL,
    cause TEXT NOT NULL,
    hung_up_by TEXT NOT NULL,
    legs TEXT NOT NULL,
    parties_sealed BYTEA NOT NULL,
    flow_sealed BYTEA,
    recovered BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX calls_by_account ON calls (account_id, started_at);
CREATE INDEX calls_by_session ON calls (session_id, started_at) WHERE session_id IS NOT NULL;

-- Calls that are not over: what the engine that comes after one that died recovers them from. Written with the call's
-- facts, deleted with its record. state_sealed: marshalled values. taken: how often another engine, or the next start of the
-- same one, has taken it over; who knows it by a lower number has lost it. form: of state_sealed. end_asked_at: whoever has
-- it is to end it.
CREATE TABLE live_calls (
    call_id TEXT PRIMARY KEY,
    engine_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    session_id TEXT,
    kept_at DOUBLE PRECISION NOT NULL,
    state_sealed BYTEA NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    form INTEGER NOT NULL DEFAULT 1,
    subaccount_id TEXT,
    end_asked_at DOUBLE PRECISION
);
CREATE INDEX live_calls_of_engine ON live_calls (engine_id);
CREATE INDEX live_calls_to_end ON live_calls (engine_id) WHERE end_asked_at IS NOT NULL;

-- Processes that live, each until when unless it says so again; by the database's clock on PostgreSQL.
CREATE TABLE owners (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    address TEXT NOT NULL
);

-- What each engine has of the limits that all hold together: places of calls at a time, calls begun, and as JSON what
-- runs. number: a virtual number, or empty for the whole account. It holds until kept_until.
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

-- spool: a JSON object, empty once its files are removed. due_at: when to make the file, or until when somebody does.
-- sequence, position: of the next webhook. pushed: a URL without credentials. upload_failed: what the error is about.
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    session_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    format TEXT NOT NULL,
    status TEXT NOT NULL,
    virtual_number TEXT NOT NULL,
    parties_sealed BYTEA NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION,
    duration_ms BIGINT NOT NULL,
    partial BOOLEAN NOT NULL,
    spool TEXT NOT NULL,
    file TEXT NOT NULL,
    pushed TEXT NOT NULL,
    size BIGINT NOT NULL,
    callback_url TEXT NOT NULL,
    callback_method TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at DOUBLE PRECISION NOT NULL,
    error TEXT NOT NULL,
    upload_failed BOOLEAN NOT NULL,
    owner TEXT
);
CREATE INDEX recordings_by_account ON recordings (account_id, started_at);
CREATE INDEX recordings_to_make ON recordings (due_at) WHERE status IN ('stopped', 'processing');
CREATE INDEX recordings_going_on ON recordings (id) WHERE status = 'recording';
CREATE INDEX recordings_spooled ON recordings (id) WHERE spool <> '';
CREATE INDEX recordings_kept ON recordings (started_at) WHERE status = 'completed';
CREATE INDEX recordings_over ON recordings (started_at) WHERE status IN ('failed', 'deleted');

-- Facts of one subject that were written together: the last of them in columns, `many` counts it too; the others are in
-- `earlier`, a JSON list, with the numbers and positions right before its own. position: order of commit, taken from a
-- counter inside the transaction, so that a reader who follows it misses none (a sequence would number before the commit).
-- SQLite appends rows that are numbered by an INTEGER PRIMARY KEY without looking for their place. (A file that was made
-- before has them clustered: the same to everybody who reads or writes them.)
CREATE TABLE facts (
    position BIGINT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    name TEXT NOT NULL,
    details TEXT NOT NULL,
    many INTEGER NOT NULL,
    earlier TEXT
);
CREATE UNIQUE INDEX facts_by_subject ON facts (subject, sequence);

-- lane: the subject and a hash of the url. One row of a lane at a time is due or leased, the others are waiting.
-- due_at of a leased row is the end of its lease. content_sealed: authorization value, secret and body. replayed: tries
-- before the last replay. leases: how often it was taken since a try ended. The indexes of what is to be sent hold nothing of
-- what was.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    subaccount_id TEXT,
    subject TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    lane TEXT NOT NULL,
    dialect TEXT NOT NULL,
    event TEXT NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_sealed BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    attempts INTEGER NOT NULL,
    due_at DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    last_status INTEGER,
    last_error TEXT NOT NULL,
    replayed INTEGER NOT NULL DEFAULT 0,
    leases INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_to_send ON outbox (due_at) WHERE state IN ('due', 'leased');
CREATE INDEX outbox_lanes ON outbox (lane, sequence, id) WHERE state IN ('waiting', 'due', 'leased');
CREATE INDEX outbox_by_account ON outbox (account_id, created_at);
CREATE INDEX outbox_by_time ON outbox (created_at, sequence, id);
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
