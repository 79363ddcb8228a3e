-- All queries of the store, as one text for SQLite and PostgreSQL. `-- name:` starts a query, the next line says
-- what it is for. `-- columns:` starts a list that queries take in by {name}. Loaded by storage/queries.py.

-- columns: account_columns
id, name, parent_id, auth_tokens_sealed, created_at, enabled, policy, modified_at, external_id, redaction, limits,
stopped, countries

-- columns: api_key_columns
id, account_id, name, created_at, enabled

-- columns: endpoint_columns
account_id, kind, url, authorization_sealed, external_id, enabled, options, secret_sealed, created_at

-- columns: number_columns
number, account_id, subaccount_id, reference_id, country, state, used_for, alias, fallback_sealed, added_at, changed_at

-- columns: export_columns
id, account_id, subaccount_id, since, until, created_at, expires_at, base_url, status, size

-- columns: trunk_columns
id, name, account_id, host, port, transport, username, prefixes, nat, media, password_sealed, options

-- columns: price_columns
id, trunk_id, direction, prefix, per_minute, connection, increment

-- columns: session_columns
sessions.id, sessions.account_id, sessions.subaccount_id, sessions.parties_sealed, sessions.virtual_number,
sessions.options, sessions.created_at, sessions.modified_at, sessions.expires_at, sessions.planned_duration,
sessions.ended_at, sessions.last_interaction_at, sessions.total_call_count, sessions.total_call_billed_duration,
sessions.calls_in_progress, sessions.pool_mode, sessions.second_virtual_number, sessions.amount,
sessions.total_call_amount

-- columns: call_columns
id, account_id, subaccount_id, session_id, caller, virtual_number, reference_id, started_at, ended_at, outcome,
cause, hung_up_by, legs, parties_sealed, flow_sealed, recovered

-- columns: fact_columns
facts.position, facts.subject, facts.sequence, facts.at, facts.name, facts.details, facts.many, facts.earlier

-- columns: recording_columns
id, account_id, subaccount_id, session_id, call_id, leg_id, format, status, virtual_number, parties_sealed, started_at,
ended_at, duration_ms, partial, spool, file, pushed, size, callback_url, callback_method, sequence, position, attempts,
due_at, error, upload_failed

-- columns: outbox_columns
id, account_id, subaccount_id, subject, sequence, dialect, event, method, url, content_type, content_sealed,
created_at, attempts, due_at, state, last_status, last_error, replayed, leases

-- columns: failing_columns
id, account_id, subaccount_id, url, since, failures, last_at, disabled_at, reason

-- name: read_counter
-- A number that only grows.
SELECT value FROM counters WHERE name = $1

-- name: advance_counter
-- Take the next $2 values; the row lock makes positions follow the order of commits.
UPDATE counters SET value = value + $2 WHERE name = $1 RETURNING value

-- name: reach_counter
-- To a value of our own, whether it was there or not.
INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value

-- name: read_key_check
-- The sealed sentence that only the right key opens.
SELECT value_sealed FROM key_check WHERE name = $1

-- name: add_key_check
-- Written once, with the schema.
INSERT INTO key_check (name, value_sealed) VALUES ($1, $2)

-- name: add_account
-- An account, or a subaccount when it has a parent.
INSERT INTO accounts ({account_columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: account
-- By its auth id: every API request asks.
SELECT {account_columns} FROM accounts WHERE id = $1 AND removed_at IS NULL

-- name: account_of_external_id
-- By 8x8's name for it, within a main account and its subaccounts.
SELECT {account_columns} FROM accounts
WHERE COALESCE(parent_id, id) = $1 AND external_id = $2 AND external_id <> '' AND removed_at IS NULL

-- name: main_accounts
-- Accounts without a parent, oldest first.
SELECT {account_columns} FROM accounts WHERE parent_id IS NULL ORDER BY created_at, id

-- name: subaccounts
-- Of one account, oldest first.
SELECT {account_columns} FROM accounts WHERE parent_id = $1 AND removed_at IS NULL ORDER BY created_at, id

-- name: update_account
-- What may change of it; $12: when it was changed last, or null for whenever.
UPDATE accounts SET name = $2, auth_tokens_sealed = $3, enabled = $4, policy = $5, modified_at = $6, external_id = $7,
    redaction = $8, limits = $9, stopped = $10, countries = $11
WHERE id = $1 AND removed_at IS NULL AND modified_at = COALESCE($12, modified_at)

-- name: remove_subaccount
-- Its row stays: sessions and calls name it.
UPDATE accounts SET removed_at = $2, modified_at = $2 WHERE id = $1 AND removed_at IS NULL AND parent_id IS NOT NULL
RETURNING parent_id

-- name: number_countries
-- Of all numbers of an account.
SELECT DISTINCT country FROM virtual_numbers WHERE account_id = $1

-- name: numbers_in_pool
-- In order.
SELECT number FROM virtual_numbers WHERE pool_id = $1 ORDER BY position

-- name: move_number
-- To the end of a pool.
UPDATE virtual_numbers SET subaccount_id = $2, pool_id = $3, position = $4 WHERE number = $1

-- name: add_number
-- Appended to its pool.
INSERT INTO virtual_numbers ({number_columns}, pool_id, position, exclusive_until, longest_pin)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0)

-- name: update_number
-- What may change of it besides its pool.
UPDATE virtual_numbers SET reference_id = $2, country = $3, state = $4, used_for = $5, alias = $6, fallback_sealed = $7,
    changed_at = $8
WHERE number = $1

-- name: number
-- A dialled number: every incoming call asks.
SELECT {number_columns} FROM virtual_numbers WHERE number = $1

-- name: numbers_after
-- Those that were added, or moved to another pool, since a position; numbers are never removed.
SELECT number, position FROM virtual_numbers WHERE position > $1 ORDER BY position LIMIT $2

-- name: number_entries
-- What lets callers in on a number whom their own number does not.
SELECT longest_pin, exclusive_until FROM virtual_numbers WHERE number = $1

-- name: lengthen_pin
-- A session has a PIN of $2 digits there.
UPDATE virtual_numbers SET longest_pin = $2 WHERE number = $1 AND longest_pin < $2

-- name: number_state
-- Whether it may be used for new sessions.
SELECT state FROM virtual_numbers WHERE number = $1

-- name: numbers_with_fallback
-- Where calls go that belong to no session is sealed: the few are opened and compared.
SELECT {number_columns} FROM virtual_numbers WHERE fallback_sealed IS NOT NULL

-- name: numbers
-- Of an account with its subaccounts, or of one subaccount.
SELECT {number_columns} FROM virtual_numbers WHERE account_id = $1 OR pool_id = $1 ORDER BY position

-- name: numbers_to_share
-- The first numbers of a pool in order of first-fit ($2: now); the condition is that of the index.
SELECT number FROM virtual_numbers
WHERE pool_id = $1 AND state = 'active' AND used_for = 'shared' AND exclusive_until <= $2 ORDER BY position LIMIT $3

-- name: numbers_to_share_in_country
-- The same for one country (geomatch).
SELECT number FROM virtual_numbers
WHERE pool_id = $1 AND state = 'active' AND used_for = 'shared' AND exclusive_until <= $2 AND country = $4
ORDER BY position LIMIT $3

-- name: number_to_share
-- Whether one number is among them; its country is for the caller to judge.
SELECT country FROM virtual_numbers
WHERE number = $1 AND pool_id = $2 AND state = 'active' AND used_for = 'shared' AND exclusive_until <= $3

-- name: empty_number
-- For one session alone: from the end, where first-fit comes last.
SELECT number FROM virtual_numbers
WHERE pool_id = $1 AND state = 'active' AND used_for = 'shared' AND exclusive_until <= $2 AND NOT EXISTS
    (SELECT 1 FROM claims WHERE claims.virtual_number = virtual_numbers.number AND claims.held_until > $2)
ORDER BY position DESC LIMIT 1

-- name: empty_number_in_country
-- The same for one country (geomatch).
SELECT number FROM virtual_numbers
WHERE pool_id = $1 AND state = 'active' AND used_for = 'shared' AND exclusive_until <= $2 AND country = $3 AND NOT EXISTS
    (SELECT 1 FROM claims WHERE claims.virtual_number = virtual_numbers.number AND claims.held_until > $2)
ORDER BY position DESC LIMIT 1

-- name: numbers_for_pins
-- Reserved for PINs, in order, with their country for the caller to judge; there are few.
SELECT number, country FROM virtual_numbers WHERE pool_id = $1 AND state = 'active' AND used_for = 'pin'
ORDER BY position

-- name: set_exclusive
-- Until when a number is one session's alone.
UPDATE virtual_numbers SET exclusive_until = $2 WHERE number = $1

-- name: set_price
-- Create or replace what a leg costs.
INSERT INTO prices ({price_columns}) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (trunk_id, direction, prefix) DO UPDATE
SET id = EXCLUDED.id, per_minute = EXCLUDED.per_minute, connection = EXCLUDED.connection,
    increment = EXCLUDED.increment

-- name: prices
-- All of them.
SELECT {price_columns} FROM prices ORDER BY trunk_id, direction, prefix

-- name: remove_price
-- By its id.
DELETE FROM prices WHERE id = $1

-- name: add_trunk
-- A carrier connection.
INSERT INTO trunks
    ({trunk_columns}, position, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: update_trunk
-- All but its name and place.
UPDATE trunks
SET account_id = $3, host = $4, port = $5, transport = $6, username = $7, prefixes = $8, nat = $9,
    media = $10, password_sealed = $11, options = $12
WHERE id = $1 AND name = $2

-- name: trunks
-- All of them, in order of their adding.
SELECT {trunk_columns} FROM trunks ORDER BY position

-- name: remove_trunk
-- By its name.
DELETE FROM trunks WHERE name = $1

-- name: set_endpoint
-- Create or replace where one kind of webhook goes.
INSERT INTO endpoints ({endpoint_columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account_id, kind) DO UPDATE
SET url = EXCLUDED.url, authorization_sealed = EXCLUDED.authorization_sealed, external_id = EXCLUDED.external_id,
    enabled = EXCLUDED.enabled, options = EXCLUDED.options, secret_sealed = EXCLUDED.secret_sealed,
    created_at = EXCLUDED.created_at

-- name: endpoints
-- Of one (sub)account: every finished call asks.
SELECT {endpoint_columns} FROM endpoints WHERE account_id = $1 ORDER BY kind

-- name: remove_endpoint
-- Of one (sub)account and kind.
DELETE FROM endpoints WHERE account_id = $1 AND kind = $2

-- name: remove_endpoints
-- All of one (sub)account.
DELETE FROM endpoints WHERE account_id = $1

-- name: add_api_key
-- A bearer key.
INSERT INTO api_keys ({api_key_columns}, key_hash) VALUES ($1, $2, $3, $4, $5, $6)

-- name: api_key
-- By itself: every API request asks.
SELECT {api_key_columns} FROM api_keys WHERE key_hash = $1

-- name: api_keys
-- Of one account or subaccount, oldest first.
SELECT {api_key_columns} FROM api_keys WHERE account_id = $1 ORDER BY created_at, id

-- name: set_api_key_enabled
-- Switch it on or off.
UPDATE api_keys SET enabled = $3 WHERE account_id = $1 AND id = $2

-- name: remove_api_key
-- By account and id.
DELETE FROM api_keys WHERE account_id = $1 AND id = $2

-- name: remove_api_keys
-- All of one (sub)account.
DELETE FROM api_keys WHERE account_id = $1

-- name: set_push_config
-- Create or replace where recordings go.
INSERT INTO push_configs (account_id, config_sealed, host_key, changed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id) DO UPDATE
SET config_sealed = EXCLUDED.config_sealed, host_key = EXCLUDED.host_key, changed_at = EXCLUDED.changed_at

-- name: push_config
-- Of one (sub)account.
SELECT account_id, config_sealed, host_key, changed_at FROM push_configs WHERE account_id = $1

-- name: keep_host_key
-- Of the server of a configuration that is as it was.
UPDATE push_configs SET host_key = $3 WHERE account_id = $1 AND changed_at = $2

-- name: remove_push_config
-- Of one (sub)account.
DELETE FROM push_configs WHERE account_id = $1

-- name: add_export
-- A job that waits.
INSERT INTO exports ({export_columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: export
-- By account and id: a foreign id finds nothing.
SELECT {export_columns} FROM exports WHERE account_id = $1 AND id = $2

-- name: export_of_link
-- By its id alone, for who brings a signed link.
SELECT {export_columns} FROM exports WHERE id = $1

-- name: exports_to_make
-- Whether any is not done.
SELECT 1 FROM exports WHERE status IN ('queued', 'running') LIMIT 1

-- name: lease_export
-- The oldest that waits, or whose maker's lease is over at $2, for $1 until $3. The outer conditions as in lease_outbox.
UPDATE exports SET status = 'running', owner = $1, leased_until = $3
WHERE id = (SELECT id FROM exports WHERE status IN ('queued', 'running') AND leased_until <= $2
            ORDER BY created_at, id LIMIT 1)
    AND status IN ('queued', 'running') AND leased_until <= $2
RETURNING {export_columns}

-- name: renew_export
-- Its maker ($2) is at it, if it is still its own.
UPDATE exports SET leased_until = $3 WHERE id = $1 AND owner = $2 AND status = 'running'

-- name: finish_export
-- What its maker ($2) made of it, if it is still its own.
UPDATE exports SET status = $3, size = $4, owner = NULL, leased_until = 0
WHERE id = $1 AND owner = $2 AND status = 'running'

-- name: free_exports
-- Those that $1 makes, or anybody where it is null, wait again.
UPDATE exports SET status = 'queued', owner = NULL, leased_until = 0
WHERE status = 'running' AND (CAST($1 AS TEXT) IS NULL OR owner = $1)

-- name: count_exports
-- That an account waits for.
SELECT count(*) FROM exports WHERE account_id = $1 AND status IN ('queued', 'running')

-- name: cancel_export
-- One that is not done.
UPDATE exports SET status = 'cancelled' WHERE id = $1 AND status IN ('queued', 'running')

-- name: exports_over
-- Whose time is over at $1.
SELECT {export_columns} FROM exports WHERE expires_at <= $1 LIMIT $2

-- name: remove_export
-- By its id.
DELETE FROM exports WHERE id = $1

-- name: once
-- Whether a write was asked for before.
SELECT fingerprint_hash, subject FROM once WHERE account_id = $1 AND key_hash = $2 AND kept_until > $3

-- name: add_once
-- Kept with the write it belongs to; takes the place of one that is over.
INSERT INTO once (account_id, key_hash, fingerprint_hash, subject, kept_until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, key_hash) DO UPDATE
SET fingerprint_hash = EXCLUDED.fingerprint_hash, subject = EXCLUDED.subject, kept_until = EXCLUDED.kept_until

-- name: add_first_once
-- The same, but one that is not over ($6: now) keeps its place.
INSERT INTO once (account_id, key_hash, fingerprint_hash, subject, kept_until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, key_hash) DO UPDATE
SET fingerprint_hash = EXCLUDED.fingerprint_hash, subject = EXCLUDED.subject, kept_until = EXCLUDED.kept_until
WHERE once.kept_until <= $6

-- name: purge_once
-- Drop $2 that are over; with each that is added more than one, so that they do not pile up.
DELETE FROM once WHERE (account_id, key_hash) IN
    (SELECT account_id, key_hash FROM once WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2)

-- name: claims_of_keys
-- All that the keys of one session have or had.
SELECT key_hash, virtual_number, session_id, live_until, held_until FROM claims WHERE key_hash IN ($1, $2, $3, $4)

-- name: claims_of_two_keys
-- The same for two parties without PINs, nearly every create; IN sorts its list into a table first, twice the cost.
SELECT key_hash, virtual_number, session_id, live_until, held_until FROM claims WHERE key_hash = $1
UNION ALL
SELECT key_hash, virtual_number, session_id, live_until, held_until FROM claims WHERE key_hash = $2

-- name: sessions_of_party
-- Any that is live or in cool-off ($2: now). One that callers enter by PIN has no claims of its parties.
SELECT session_id FROM claims WHERE key_hash = $1 AND held_until > $2
UNION ALL SELECT id FROM sessions WHERE first_party_hash = $1 AND ended_at IS NULL AND expires_at > $2
UNION ALL SELECT id FROM sessions WHERE second_party_hash = $1 AND ended_at IS NULL AND expires_at > $2
LIMIT 1

-- name: pins_held
-- Which keys are held on a number ($2: now); the + keeps to the primary key, other indexes read all of the number.
SELECT key_hash FROM claims
WHERE virtual_number = $1 AND +held_until > $2 AND key_hash IN ($3, $4, $5, $6, $7, $8, $9, $10)

-- name: take_claims
-- Hold claims from $1 on; leaves those alone that another session than $2 holds still.
INSERT INTO claims (key_hash, virtual_number, kind, session_id, role, live_until, held_until)
VALUES ($3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (key_hash, virtual_number) DO UPDATE
SET session_id = EXCLUDED.session_id, role = EXCLUDED.role, live_until = EXCLUDED.live_until,
    held_until = EXCLUDED.held_until
WHERE claims.held_until <= $1 OR claims.session_id = $2

-- name: claim
-- Whose it is.
SELECT session_id FROM claims WHERE key_hash = $1 AND virtual_number = $2

-- name: hold_claim
-- Move the times of a session's claim, unless another session has taken it since.
UPDATE claims SET role = $4, live_until = $5, held_until = $6
WHERE key_hash = $1 AND virtual_number = $2 AND session_id = $3

-- name: forget_claims
-- Drop a few claims on a number that have been free for long; called often, so a few are enough.
DELETE FROM claims WHERE (key_hash, virtual_number) IN
    (SELECT key_hash, virtual_number FROM claims WHERE virtual_number = $1 AND held_until < $2
     ORDER BY held_until LIMIT 16)

-- name: add_session
-- A new session, with nothing happened in it.
INSERT INTO sessions
    (id, account_id, subaccount_id, first_party_hash, second_party_hash, parties_sealed, virtual_number,
     second_virtual_number, pool_mode, options, created_at, modified_at, expires_at, planned_duration, amount,
     total_call_count, total_call_billed_duration, total_call_amount, calls_in_progress)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, 0, 0)

-- name: session
-- By account and id: a foreign id finds nothing.
SELECT {session_columns} FROM sessions WHERE sessions.account_id = $1 AND sessions.id = $2

-- name: session_for_call
-- Who is meant: every incoming call asks.
SELECT {session_columns} FROM claims JOIN sessions ON sessions.id = claims.session_id
WHERE claims.key_hash = $1 AND claims.virtual_number = $2

-- name: session_with_pin
-- The one on this number that ends last ($2: now).
SELECT {session_columns} FROM claims JOIN sessions ON sessions.id = claims.session_id
WHERE claims.virtual_number = $1 AND claims.kind = 'pin' AND claims.live_until > $2
ORDER BY claims.live_until DESC, claims.session_id LIMIT 1

-- name: sessions_on
-- Live ones with a claim on this number ($2: now).
SELECT {session_columns} FROM sessions
WHERE sessions.id IN (SELECT claims.session_id FROM claims
                      WHERE claims.virtual_number = $1 AND claims.held_until > $2 AND claims.live_until > $2)
ORDER BY sessions.expires_at DESC, sessions.id LIMIT $3

-- name: sessions_due
-- Sessions whose time is over and whose end is not yet carried out. Their order within a second is left to the index:
-- by id too, each step would sort all that ended in that second.
SELECT {session_columns} FROM sessions WHERE sessions.ended_at IS NULL AND sessions.expires_at <= $1
ORDER BY sessions.expires_at LIMIT $2

-- name: list_sessions
-- The start of a list; conditions, order and limits are added by storage/session_list.py.
SELECT {session_columns} FROM sessions

-- name: count_sessions
-- The start of a list's total.
SELECT count(*) FROM sessions

-- name: update_session
-- All that may change in a live one.
UPDATE sessions
SET first_party_hash = $2, second_party_hash = $3, parties_sealed = $4, virtual_number = $5,
    second_virtual_number = $6, pool_mode = $7, options = $8, modified_at = $9, expires_at = $10,
    planned_duration = $11
WHERE id = $1

-- name: end_session
-- Once: the caller has seen that it has not ended.
UPDATE sessions SET ended_at = $2, modified_at = $2, expires_at = $3 WHERE id = $1

-- name: move_sessions
-- Calls were routed into a session ($2), or are over ($3 legs, $4 billed seconds, $5 amount, ended at
-- $6); one row per session.
WITH moved (id, delta, legs, billed, amount, ended_at) AS (VALUES
    (CAST($1 AS TEXT), CAST($2 AS INTEGER), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT),
     CAST($6 AS DOUBLE PRECISION)))
UPDATE sessions
SET calls_in_progress = CASE WHEN calls_in_progress + moved.delta < 0 THEN 0 ELSE calls_in_progress + moved.delta END,
    total_call_count = total_call_count + moved.legs,
    total_call_billed_duration = total_call_billed_duration + moved.billed,
    total_call_amount = total_call_amount + moved.amount,
    last_interaction_at = CASE WHEN last_interaction_at > moved.ended_at OR moved.ended_at IS NULL
                               THEN last_interaction_at ELSE moved.ended_at END
FROM moved WHERE sessions.id = moved.id

-- name: reset_calls_in_progress
-- As many as live, whoever carries them.
UPDATE sessions SET calls_in_progress = living.calls
FROM (SELECT busy.id, COUNT(live_calls.call_id) AS calls FROM sessions AS busy
      LEFT JOIN live_calls ON live_calls.session_id = busy.id WHERE busy.calls_in_progress > 0 GROUP BY busy.id) AS living
WHERE sessions.id = living.id AND sessions.calls_in_progress <> living.calls

-- name: sessions_to_forget
-- The first that ended before $1; one with a call in progress can wait.
SELECT {session_columns} FROM sessions WHERE sessions.ended_at < $1 AND sessions.calls_in_progress = 0
ORDER BY sessions.ended_at LIMIT $2

-- name: forget_session
-- By its id, once nothing of it is left.
DELETE FROM sessions WHERE id = $1

-- name: forget_claim
-- What a forgotten session has, unless it is still held ($4: now).
DELETE FROM claims WHERE key_hash = $1 AND virtual_number = $2 AND session_id = $3 AND held_until <= $4

-- name: forget_interactions
-- Of one session.
DELETE FROM interactions WHERE session_id = $1

-- name: calls_to_forget
-- A few of one session.
SELECT id FROM calls WHERE session_id = $1 LIMIT $2

-- name: forget_call
-- By its id.
DELETE FROM calls WHERE id = $1

-- name: forget_facts
-- Of one call or session.
DELETE FROM facts WHERE subject = $1

-- name: facts_to_look_at
-- In order of commit, which is nearly that of time.
SELECT position, subject, at FROM facts WHERE position > $1 ORDER BY position LIMIT $2

-- name: is_kept
-- Whether a subject of facts is a session, or a call of one: these are forgotten with the session.
SELECT 1 FROM sessions WHERE id = $1
UNION ALL SELECT 1 FROM calls JOIN sessions ON sessions.id = calls.session_id WHERE calls.id = $1

-- name: set_counter
-- To a value of our own.
UPDATE counters SET value = $2 WHERE name = $1

-- name: forget_outbox
-- A few finished webhooks made before $1, account by account as its index has them; the operator's, too.
DELETE FROM outbox WHERE id IN
    (SELECT outbox.id FROM outbox
     WHERE outbox.account_id IN (SELECT accounts.id FROM accounts WHERE accounts.parent_id IS NULL UNION ALL SELECT 'operator')
        AND outbox.created_at < $1 AND outbox.state IN ('done', 'failed', 'held')
     LIMIT $2)
RETURNING id

-- name: forget_attempts
-- Of webhooks that are gone.
WITH gone (id) AS (VALUES (CAST($1 AS TEXT)))
DELETE FROM attempts WHERE outbox_id IN (SELECT id FROM gone)

-- name: add_requested_call
-- With its session.
INSERT INTO requested_calls (session_id, account_id, requested_at, owner, leased_until) VALUES ($1, $2, $3, NULL, 0)

-- name: has_requested_calls
-- Whether there is one to take ($1: now): the common answer is no.
SELECT 1 FROM requested_calls WHERE leased_until <= $1 LIMIT 1

-- name: lease_requested_calls
-- Take those that nobody has, oldest first. The outer condition repeats the inner one for PostgreSQL, as in
-- lease_outbox.
UPDATE requested_calls SET owner = $1, leased_until = $3
WHERE session_id IN (SELECT session_id FROM requested_calls WHERE leased_until <= $2
                     ORDER BY leased_until, requested_at LIMIT $4)
    AND leased_until <= $2
RETURNING session_id, account_id, requested_at

-- name: drop_requested_call
-- If the lease is still ours.
DELETE FROM requested_calls WHERE session_id = $1 AND owner = $2

-- name: finish_requested_call
-- Its call has begun.
DELETE FROM requested_calls WHERE session_id = $1

-- name: add_requested_flow
-- A call flow that is acknowledged with this commit.
INSERT INTO requested_flows
    (id, account_id, request_id, content_sealed, valid_until, requested_at, owner, leased_until, leases)
VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, 0)

-- name: has_requested_flows
-- Whether there is one to take ($1: now): the common answer is no.
SELECT 1 FROM requested_flows WHERE leased_until <= $1 LIMIT 1

-- name: lease_requested_flows
-- Take those that nobody has, oldest first. The outer condition as in lease_requested_calls.
UPDATE requested_flows SET owner = $1, leased_until = $3, leases = leases + 1
WHERE id IN (SELECT id FROM requested_flows WHERE leased_until <= $2 ORDER BY leased_until, requested_at LIMIT $4)
    AND leased_until <= $2
RETURNING id, account_id, request_id, content_sealed, valid_until, requested_at, leases, end_asked_at

-- name: release_requested_flow
-- If the lease is still ours.
UPDATE requested_flows SET owner = NULL, leased_until = 0, leases = 0 WHERE id = $1 AND owner = $2

-- name: finish_requested_flow
-- Its call has begun.
DELETE FROM requested_flows WHERE id = $1 RETURNING end_asked_at

-- name: pin_tallies
-- Of a try: its caller, its number, and the mark of a caller who is known there.
SELECT key_hash, tries, since, locks, locked_until, forget_at FROM pin_tallies WHERE key_hash IN ($1, $2, $3)

-- name: set_pin_tally
-- As the rules leave it.
INSERT INTO pin_tallies (key_hash, tries, since, locks, locked_until, forget_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key_hash) DO UPDATE SET tries = $2, since = $3, locks = $4, locked_until = $5, forget_at = $6

-- name: forget_pin_tallies
-- A few that say nothing any more ($1: now).
DELETE FROM pin_tallies WHERE key_hash IN (SELECT key_hash FROM pin_tallies WHERE forget_at <= $1 LIMIT $2)

-- name: add_interaction
-- One call of a session, as the session lists it.
INSERT INTO interactions
    (call_id, session_id, started_at, ended_at, caller, first_party_leg_id, second_party_leg_id, duration,
     billed_duration, legs, amount, recording_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (session_id, started_at, call_id) DO NOTHING

-- name: interactions
-- Of one session, in order.
SELECT call_id, started_at, ended_at, caller, first_party_leg_id, second_party_leg_id, duration, billed_duration, legs,
    amount, recording_id
FROM interactions WHERE session_id = $1 ORDER BY started_at, call_id

-- name: add_call
-- The record of a call that is over.
INSERT INTO calls ({call_columns})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING

-- name: call
-- By account and id: a foreign id finds nothing.
SELECT {call_columns} FROM calls WHERE account_id = $1 AND id = $2

-- name: calls
-- Of an account, newest first.
SELECT {call_columns} FROM calls WHERE account_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2

-- name: calls_of_session
-- Of one session, newest first.
SELECT {call_columns} FROM calls WHERE session_id = $3 AND account_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2

-- name: calls_between
-- Of an account or one subaccount, by start, behind a call ($5, $6).
SELECT {call_columns} FROM calls
WHERE account_id = $1 AND (CAST($2 AS TEXT) IS NULL OR subaccount_id = $2) AND started_at >= $3 AND started_at < $4
    AND (started_at, id) > ($5, $6)
ORDER BY started_at, id LIMIT $7

-- name: keep_live_call
-- What a call can be recovered from, instead of what was kept before.
INSERT INTO live_calls (call_id, engine_id, account_id, session_id, kept_at, state_sealed, form, subaccount_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (call_id) DO UPDATE SET session_id = excluded.session_id, kept_at = excluded.kept_at,
    state_sealed = excluded.state_sealed, form = excluded.form, subaccount_id = excluded.subaccount_id

-- name: drop_live_call
-- The call is over.
WITH done (id) AS (VALUES (CAST($1 AS TEXT)))
DELETE FROM live_calls WHERE call_id IN (SELECT id FROM done)

-- name: drop_held_call
-- The call is over, if it is still the engine's ($1, $2: taken). SQLite would look through all calls of the engine; the
-- empty text keeps it from that.
DELETE FROM live_calls
WHERE call_id IN (VALUES (CAST($3 AS TEXT))) AND engine_id || '' = $1 AND taken = $2

-- name: ask_call_end
-- By whose it is: an account ($2), or a subaccount alone ($3). The first wish counts ($4: now).
UPDATE live_calls SET end_asked_at = COALESCE(end_asked_at, $4)
WHERE call_id = $1 AND account_id = $2 AND (CAST($3 AS TEXT) IS NULL OR subaccount_id = $3)

-- name: ask_flow_end
-- The same of a call that is not begun, whose account may be a subaccount.
UPDATE requested_flows SET end_asked_at = COALESCE(end_asked_at, $4)
WHERE id = $1 AND account_id IN (SELECT id FROM accounts WHERE (id = $2 OR parent_id = $2)
                                     AND (CAST($3 AS TEXT) IS NULL OR id = $3))

-- name: pass_end_on
-- The wish that a call flow waited with goes to its call.
UPDATE live_calls SET end_asked_at = $2 WHERE call_id = $1

-- name: calls_to_end
-- Those of an engine whose end was asked for.
SELECT call_id FROM live_calls WHERE engine_id = $1 AND end_asked_at IS NOT NULL

-- name: live_calls
-- Those an engine has.
SELECT call_id, engine_id, account_id, session_id, kept_at, state_sealed, taken, form, subaccount_id, end_asked_at
FROM live_calls WHERE engine_id = $1 ORDER BY kept_at, call_id

-- name: places_elsewhere
-- That other engines have.
SELECT COALESCE(SUM(places), 0) FROM usages
WHERE account_id = $1 AND number = $2 AND engine_id <> $3 AND kept_until > $4

-- name: take_places
-- $4 in all.
INSERT INTO usages (account_id, number, engine_id, places, begun, running, kept_until)
VALUES ($1, $2, $3, $4, 0, '', $5)
ON CONFLICT (account_id, number, engine_id) DO UPDATE SET places = excluded.places, kept_until = excluded.kept_until

-- name: tell_usage
-- What this engine has at this moment.
INSERT INTO usages (account_id, number, engine_id, places, begun, running, kept_until)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id, number, engine_id) DO UPDATE SET places = excluded.places, begun = excluded.begun,
    running = excluded.running, kept_until = excluded.kept_until

-- name: usage_elsewhere
-- What all other engines have.
SELECT engine_id, account_id, number, places, begun, running FROM usages WHERE engine_id <> $1 AND kept_until > $2

-- name: forget_usage
-- Of engines that are no more, and of accounts without calls.
DELETE FROM usages WHERE kept_until <= $1

-- name: ended_calls
-- Of accounts with limits, in order of commit.
SELECT facts.position, calls.account_id, calls.id
FROM facts JOIN calls ON calls.id = facts.subject JOIN accounts ON accounts.id = calls.account_id
WHERE facts.position > $1 AND facts.name = 'CallEnded' AND accounts.limits IS NOT NULL
ORDER BY facts.position LIMIT $2

-- name: lost_calls
-- Of calls that their engine believes to have, those that it has not any more, or that are over.
WITH held (call_id, engine_id, taken) AS (VALUES (CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS INTEGER)))
SELECT held.call_id FROM held
LEFT JOIN live_calls ON live_calls.call_id = held.call_id AND live_calls.engine_id = held.engine_id
    AND live_calls.taken = held.taken
WHERE live_calls.call_id IS NULL

-- name: dead_engines
-- That have calls, and have not said in time that they live; $1: not this one.
SELECT DISTINCT engine_id FROM live_calls
WHERE engine_id <> $1 AND engine_id NOT IN (SELECT id FROM owners WHERE until > $2)

-- name: take_live_calls
-- The oldest of one engine ($2) for another one that can read them ($4), or for its own next start.
UPDATE live_calls SET engine_id = $1, taken = taken + 1
WHERE call_id IN (SELECT call_id FROM live_calls WHERE engine_id = $2 AND form <= $4 ORDER BY kept_at, call_id LIMIT $3)
RETURNING call_id, engine_id, account_id, session_id, kept_at, state_sealed, taken, form, subaccount_id, end_asked_at

-- name: leave_unread_calls
-- What a newer program left under this engine's name is nobody's: for whoever can read it.
UPDATE live_calls SET engine_id = '', taken = taken + 1 WHERE engine_id = $1 AND form > $2

-- name: unread_calls
-- Of an engine that is dead those that this one cannot read.
SELECT call_id FROM live_calls WHERE engine_id = $1 AND form > $2

-- name: take_unread_call
-- $2, if it is the dead engine's ($3) still.
UPDATE live_calls SET engine_id = $1, taken = taken + 1 WHERE call_id = $2 AND engine_id = $3
RETURNING call_id, engine_id, account_id, session_id, kept_at, state_sealed, taken, form, subaccount_id, end_asked_at

-- name: renew_owner
-- It lives until then.
INSERT INTO owners (id, kind, name, until, address) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, until = excluded.until,
    address = excluded.address

-- name: end_owner
-- It lives no more, and whoever wants its calls may have them.
UPDATE owners SET until = 0 WHERE id = $1

-- name: owners
-- All that are known.
SELECT id, kind, name, until, address FROM owners ORDER BY kind, id

-- name: free_outbox
-- Webhooks that a dead process ($1) was about to send; $2: now. A leased row's time is the end of its lease, and what is
-- over anyway is taken without us.
UPDATE outbox SET state = 'due', due_at = $2, owner = NULL
WHERE state IN ('due', 'leased') AND due_at > $2 AND state = 'leased' AND owner = $1

-- name: free_requested_calls
-- It may have rung already: too old, whoever takes it says that it was not begun.
UPDATE requested_calls SET owner = NULL, leased_until = 0, requested_at = 0 WHERE leased_until > 0 AND owner = $1

-- name: free_requested_flows
-- It may have rung already, as `leases` tells.
UPDATE requested_flows SET owner = NULL, leased_until = 0 WHERE leased_until > 0 AND owner = $1

-- name: free_recordings
-- Files that a dead process was about to make.
UPDATE recordings SET status = 'stopped', due_at = $2, owner = NULL
WHERE status IN ('stopped', 'processing') AND status = 'processing' AND owner = $1 AND due_at > $2

-- name: forget_owners
-- Long dead, with nothing left.
DELETE FROM owners WHERE until < $1 AND id NOT IN (SELECT engine_id FROM live_calls)

-- name: add_recording
-- The recording of a call, at its start.
INSERT INTO recordings ({recording_columns})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26)
ON CONFLICT (id) DO NOTHING

-- name: stop_recording
-- Its call is over.
UPDATE recordings SET status = 'stopped', ended_at = $2, partial = partial OR $3, sequence = $4, position = $5, due_at = $6
WHERE id = $1 AND status = 'recording'

-- name: recover_recordings
-- What a process left that was killed: calls that no longer are, and files that were being made by the one that was
-- called as we are ($2), or by nobody that lives. A call of which something was kept goes on, or ends its recording with
-- its record.
UPDATE recordings SET partial = partial OR status = 'recording', status = 'stopped', due_at = $1, owner = NULL
WHERE spool <> '' AND status IN ('recording', 'processing')
    AND (status = 'recording' OR owner = $2 OR owner NOT IN (SELECT id FROM owners WHERE until > $3))
    AND NOT EXISTS (SELECT 1 FROM live_calls WHERE live_calls.call_id = recordings.call_id)

-- name: recording
-- By account and id: a foreign id finds nothing.
SELECT {recording_columns} FROM recordings WHERE account_id = $1 AND id = $2

-- name: recording_of_link
-- By its id alone, for who brings a signed link.
SELECT {recording_columns} FROM recordings WHERE id = $1

-- name: recordings
-- Of an account, newest first; what is null is not asked for. $3: a call's or its first leg's id.
SELECT {recording_columns} FROM recordings
WHERE account_id = $1
    AND (CAST($2 AS TEXT) IS NULL OR subaccount_id = $2)
    AND (CAST($3 AS TEXT) IS NULL OR call_id = $3 OR leg_id = $3)
    AND (CAST($4 AS TEXT) IS NULL OR session_id = $4)
    AND started_at >= $5 AND started_at <= $6
ORDER BY started_at DESC, id DESC LIMIT $7 OFFSET $8

-- name: count_recordings
-- All that the list of the same wishes goes over.
SELECT count(*) FROM recordings
WHERE account_id = $1
    AND (CAST($2 AS TEXT) IS NULL OR subaccount_id = $2)
    AND (CAST($3 AS TEXT) IS NULL OR call_id = $3 OR leg_id = $3)
    AND (CAST($4 AS TEXT) IS NULL OR session_id = $4)
    AND started_at >= $5 AND started_at <= $6

-- name: lease_recording
-- The one that is due longest. The outer conditions as in lease_outbox.
UPDATE recordings SET status = 'processing', owner = $1, due_at = $3, attempts = attempts + 1
WHERE id = (SELECT id FROM recordings WHERE status IN ('stopped', 'processing') AND due_at <= $2 ORDER BY due_at LIMIT 1)
    AND status IN ('stopped', 'processing') AND due_at <= $2
RETURNING {recording_columns}

-- name: next_recording_due
-- When the next try or the end of a lease is.
SELECT MIN(due_at) FROM recordings WHERE status IN ('stopped', 'processing')

-- name: finish_recording
-- What a try came to, if the lease is still ours.
UPDATE recordings SET status = $3, due_at = $4, started_at = $5, ended_at = $6, duration_ms = $7, partial = $8, file = $9,
    pushed = $10, size = $11, error = $12, upload_failed = $13, owner = NULL
WHERE id = $1 AND owner = $2 AND status = 'processing'

-- name: drop_spool
-- Its files are removed.
UPDATE recordings SET spool = '' WHERE id = $1

-- name: recordings_to_clean
-- Whose spool is not needed any more and may still be there.
SELECT {recording_columns} FROM recordings WHERE spool <> '' AND status IN ('completed', 'deleted') LIMIT $1

-- name: old_recordings
-- Files of before a wall second, oldest first.
SELECT {recording_columns} FROM recordings WHERE status = 'completed' AND started_at < $1 ORDER BY started_at LIMIT $2

-- name: old_failures
-- Spools of failures of before a wall second.
SELECT {recording_columns} FROM recordings WHERE spool <> '' AND status = 'failed' AND started_at < $1 LIMIT $2

-- name: delete_recording
-- Its file is about to be removed.
UPDATE recordings SET status = 'deleted', file = '', pushed = '', size = 0 WHERE id = $1

-- name: retry_recording
-- Once more from the start.
UPDATE recordings SET status = 'stopped', attempts = 0, due_at = $2, error = '', upload_failed = FALSE WHERE id = $1

-- name: forget_recordings
-- What is over since before a wall second, and has no file.
DELETE FROM recordings WHERE id IN
    (SELECT over.id FROM recordings AS over
     WHERE over.status IN ('failed', 'deleted') AND over.started_at < $1 AND over.spool = '' LIMIT $2)

-- name: add_fact
-- Facts of one subject; those that are there already are left alone (a repeated commit).
INSERT INTO facts (position, subject, sequence, at, name, details, many, earlier)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (subject, sequence) DO NOTHING

-- name: fact_position
-- Where facts were stored that were written together, by the last of them.
SELECT position FROM facts WHERE subject = $1 AND sequence = $2

-- name: last_sequence
-- The last fact's number of a call or session; none: 0.
SELECT COALESCE(MAX(sequence), 0) FROM facts WHERE subject = $1

-- name: facts
-- Of one call or session.
SELECT {fact_columns} FROM facts WHERE subject = $1 ORDER BY sequence

-- name: facts_since
-- In order of commit; some of the first row's may be at or before $1.
SELECT {fact_columns} FROM facts WHERE position > $1 ORDER BY position LIMIT $2

-- name: replay_since
-- In order of commit, each end of a call with the record of it, if one is kept.
SELECT {fact_columns}, {call_columns}
FROM facts LEFT JOIN calls ON facts.name = 'CallEnded' AND calls.id = facts.subject
WHERE facts.position > $1 ORDER BY facts.position LIMIT $2

-- name: busy_lanes
-- Those of some lanes that have an unfinished row.
WITH asked (lane) AS (VALUES (CAST($1 AS TEXT)))
SELECT lane FROM asked
WHERE EXISTS (SELECT 1 FROM outbox WHERE outbox.lane = asked.lane AND outbox.state IN ('waiting', 'due', 'leased'))

-- name: add_outbox
-- A webhook to deliver; $18 says waiting where its lane is busy, and due where it is not.
INSERT INTO outbox
    (id, account_id, subaccount_id, subject, sequence, dialect, event, method, url, content_type, content_sealed,
     created_at, attempts, due_at, lane, last_status, last_error, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)

-- name: lease_outbox
-- Take due rows, longest due first. The outer conditions repeat the inner ones for a row that another deliverer
-- leased between the two (PostgreSQL looks again after waiting for its lock).
UPDATE outbox SET state = 'leased', owner = $1, due_at = $3, leases = leases + 1
WHERE id IN (SELECT id FROM outbox WHERE state IN ('due', 'leased') AND due_at <= $2 ORDER BY due_at LIMIT $4)
    AND state IN ('due', 'leased') AND due_at <= $2
RETURNING {outbox_columns}

-- name: lease_newest_outbox
-- The same from the other end.
UPDATE outbox SET state = 'leased', owner = $1, due_at = $3, leases = leases + 1
WHERE id IN (SELECT id FROM outbox WHERE state IN ('due', 'leased') AND due_at <= $2 ORDER BY due_at DESC LIMIT $4)
    AND state IN ('due', 'leased') AND due_at <= $2
RETURNING {outbox_columns}

-- name: finish_outbox
-- Write back what became of a leased row, if the lease is still ours; $7 is 0 when it was given back untried.
WITH done (id, owner, state, due_at, status, error, tried) AS (VALUES
    (CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS DOUBLE PRECISION), CAST($5 AS INTEGER),
     CAST($6 AS TEXT), CAST($7 AS INTEGER)))
UPDATE outbox
SET state = done.state, due_at = done.due_at, owner = NULL, attempts = attempts + done.tried,
    leases = CASE WHEN done.tried = 1 THEN 0 ELSE leases - 1 END,
    last_status = CASE WHEN done.tried = 1 THEN done.status ELSE last_status END,
    last_error = CASE WHEN done.tried = 1 THEN done.error ELSE last_error END
FROM done WHERE outbox.id = done.id AND outbox.owner = done.owner AND outbox.state = 'leased'
RETURNING outbox.id, outbox.lane

-- name: promote_outbox
-- A row of the lane is finished: the lowest of those that wait behind it is due, not before its own time.
WITH freed (lane, finished_at) AS (VALUES (CAST($1 AS TEXT), CAST($2 AS DOUBLE PRECISION)))
UPDATE outbox
SET state = 'due', due_at = CASE WHEN outbox.due_at > freed.finished_at THEN outbox.due_at ELSE freed.finished_at END
FROM freed WHERE outbox.id =
    (SELECT waiting.id FROM outbox AS waiting
     WHERE waiting.lane = freed.lane AND waiting.state IN ('waiting', 'due', 'leased')
     ORDER BY waiting.sequence, waiting.id LIMIT 1)

-- name: outbox_row
-- By account and id: a foreign id finds nothing.
SELECT {outbox_columns} FROM outbox WHERE id = $1 AND account_id = $2

-- name: outbox_state
-- Where a row stands, for a replay.
SELECT state FROM outbox WHERE id = $1

-- name: bring_forward_outbox
-- Due at once, instead of at its next try's time.
UPDATE outbox SET due_at = $2 WHERE id = $1

-- name: replay_outbox
-- A finished row once more from the start, behind what its lane has.
UPDATE outbox SET replayed = replayed + attempts, attempts = 0, leases = 0, due_at = $2,
    state = CASE WHEN EXISTS (SELECT 1 FROM outbox AS ahead
                              WHERE ahead.lane = outbox.lane AND ahead.state IN ('waiting', 'due', 'leased'))
            THEN 'waiting' ELSE 'due' END
WHERE id = $1

-- name: next_outbox_due
-- When the next try or the end of a lease is.
SELECT MIN(due_at) FROM outbox WHERE state IN ('due', 'leased')

-- name: outbox_unsent
-- Failed and held ones of an account from a time on, behind a row ($4, $5).
SELECT id, created_at, state, url, subaccount_id, sequence FROM outbox
WHERE account_id = $1 AND state IN ('failed', 'held') AND created_at >= $2 AND created_at < $3
    AND (created_at, id) > ($4, $5)
ORDER BY created_at, id LIMIT $6

-- name: outbox_finished
-- The same of all that are finished.
SELECT id, created_at, state, url, subaccount_id, sequence FROM outbox
WHERE account_id = $1 AND state IN ('done', 'failed', 'held') AND created_at >= $2 AND created_at < $3
    AND (created_at, id) > ($4, $5)
ORDER BY created_at, id LIMIT $6

-- name: add_attempt
-- A try of a webhook, with its result.
INSERT INTO attempts (outbox_id, number, at, milliseconds, status, fault, answer_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (outbox_id, number) DO NOTHING

-- name: attempts
-- Of one webhook, in order.
SELECT outbox_id, number, at, milliseconds, status, fault, answer_sealed FROM attempts WHERE outbox_id = $1
ORDER BY number

-- name: endpoint_is_well
-- It answered: unless it is disabled, it does not fail any more.
DELETE FROM failing_endpoints WHERE id = $1 AND disabled_at IS NULL

-- name: endpoint_failed_again
-- Go on counting.
UPDATE failing_endpoints SET failures = failures + $3, last_at = $2 WHERE id = $1
RETURNING {failing_columns}

-- name: endpoint_failed
-- Begin to count.
INSERT INTO failing_endpoints (id, account_id, subaccount_id, url, since, failures, last_at, disabled_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $5, NULL, '')
RETURNING {failing_columns}

-- name: count_failing_endpoints
-- By account: few, and few of each.
SELECT account_id, count(*) FROM failing_endpoints GROUP BY account_id

-- name: forget_failing_endpoints
-- Those that nothing failed at since $1, but for disabled ones that somebody has configured: their URL may go on with a
-- query.
DELETE FROM failing_endpoints WHERE last_at < $1 AND (disabled_at IS NULL OR NOT EXISTS
    (SELECT 1 FROM endpoints
     WHERE endpoints.account_id = COALESCE(failing_endpoints.subaccount_id, failing_endpoints.account_id)
        AND substr(endpoints.url, 1, length(failing_endpoints.url)) = failing_endpoints.url))

-- name: disable_endpoint
-- Nothing more is sent there.
UPDATE failing_endpoints SET disabled_at = $2, reason = $3 WHERE id = $1 AND disabled_at IS NULL
RETURNING {failing_columns}

-- name: enable_endpoint
-- Of any account where $2 is null.
DELETE FROM failing_endpoints WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR account_id = $2)
RETURNING {failing_columns}

-- name: failing_endpoints
-- Of an account, or of all.
SELECT {failing_columns} FROM failing_endpoints WHERE CAST($1 AS TEXT) IS NULL OR account_id = $1 ORDER BY since, id

-- name: outbox_of_account
-- Newest first.
SELECT {outbox_columns} FROM outbox WHERE account_id = $1 ORDER BY created_at DESC, sequence DESC, id DESC LIMIT $2

-- name: outbox_of_account_in_state
-- Newest first.
SELECT {outbox_columns} FROM outbox WHERE account_id = $1 AND state = $3
ORDER BY created_at DESC, sequence DESC, id DESC LIMIT $2

-- name: outbox_of_all
-- Newest first; for the operator.
SELECT {outbox_columns} FROM outbox ORDER BY created_at DESC, sequence DESC, id DESC LIMIT $1

-- name: outbox_of_all_in_state
-- Newest first; for the operator.
SELECT {outbox_columns} FROM outbox WHERE state = $2 ORDER BY created_at DESC, sequence DESC, id DESC LIMIT $1

-- name: count_rows
-- Rows by table.
SELECT
    (SELECT count(*) FROM accounts), (SELECT count(*) FROM virtual_numbers), (SELECT count(*) FROM trunks),
    (SELECT count(*) FROM endpoints), (SELECT count(*) FROM sessions), (SELECT count(*) FROM claims),
    (SELECT count(*) FROM calls), (SELECT COALESCE(SUM(many), 0) FROM facts), (SELECT count(*) FROM recordings)

-- name: count_outbox
-- Outbox rows by state.
SELECT state, count(*) FROM outbox GROUP BY state
