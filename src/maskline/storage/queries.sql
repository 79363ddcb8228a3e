-- All queries of the store, as one text for SQLite and PostgreSQL. `-- name:` starts a query, the next line says
-- what it is for. `-- columns:` starts a list that queries take in by {name}. Loaded by storage/queries.py.

-- columns: account_columns
id, name, parent_id, auth_token_sealed, created_at

-- columns: number_columns
number, account_id, subaccount_id, reference_id, country

-- columns: trunk_columns
id, name, account_id, host, port, transport, username, prefixes, nat

-- columns: session_columns
sessions.id, sessions.account_id, sessions.subaccount_id, sessions.parties_sealed, sessions.virtual_number,
sessions.options, sessions.created_at, sessions.modified_at, sessions.expires_at, sessions.planned_duration,
sessions.ended_at, sessions.last_interaction_at, sessions.total_call_count, sessions.total_call_billed_duration,
sessions.calls_in_progress

-- columns: call_columns
id, account_id, subaccount_id, session_id, caller, virtual_number, reference_id, started_at, ended_at, outcome,
cause, hung_up_by, legs, parties_sealed

-- columns: outbox_columns
id, account_id, subaccount_id, subject, sequence, dialect, event, method, url, content_type, content_sealed,
created_at, attempts, due_at, state, last_status, last_error

-- name: read_counter
-- A number that only grows.
SELECT value FROM counters WHERE name = $1

-- name: advance_counter
-- Take the next $2 values; the row lock makes positions follow the order of commits.
UPDATE counters SET value = value + $2 WHERE name = $1 RETURNING value

-- name: read_key_check
-- The sealed sentence that only the right key opens.
SELECT value_sealed FROM key_check WHERE name = $1

-- name: add_key_check
-- Written once, with the schema.
INSERT INTO key_check (name, value_sealed) VALUES ($1, $2)

-- name: add_account
-- An account, or a subaccount when it has a parent.
INSERT INTO accounts (id, name, parent_id, auth_token_sealed, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: account
-- By its auth id: every API request asks.
SELECT {account_columns} FROM accounts WHERE id = $1

-- name: main_accounts
-- Accounts without a parent, oldest first.
SELECT {account_columns} FROM accounts WHERE parent_id IS NULL ORDER BY created_at, id

-- name: subaccounts
-- Of one account, oldest first.
SELECT {account_columns} FROM accounts WHERE parent_id = $1 ORDER BY created_at, id

-- name: add_number
-- Appended to its pool.
INSERT INTO virtual_numbers
    (number, account_id, subaccount_id, reference_id, country, pool_id, position, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: number
-- A dialled number: every incoming call asks.
SELECT {number_columns} FROM virtual_numbers WHERE number = $1

-- name: numbers
-- Of an account with its subaccounts, or of one subaccount.
SELECT {number_columns} FROM virtual_numbers WHERE account_id = $1 OR pool_id = $1 ORDER BY position

-- name: pool_candidates
-- The first numbers of a pool in order of first-fit.
SELECT number FROM virtual_numbers WHERE pool_id = $1 ORDER BY position LIMIT $2

-- name: pool_candidates_in_country
-- The same for one country (geomatch).
SELECT number FROM virtual_numbers WHERE pool_id = $1 AND country = $3 ORDER BY position LIMIT $2

-- name: add_trunk
-- A carrier connection.
INSERT INTO trunks
    (id, name, account_id, host, port, transport, username, prefixes, nat, password_sealed, position, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: trunks
-- All of them, in order of their adding.
SELECT {trunk_columns} FROM trunks ORDER BY position

-- name: remove_trunk
-- By its name.
DELETE FROM trunks WHERE name = $1

-- name: set_endpoint
-- Create or replace where one kind of webhook goes.
INSERT INTO endpoints (account_id, kind, url, authorization_sealed, external_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, kind) DO UPDATE
SET url = EXCLUDED.url, authorization_sealed = EXCLUDED.authorization_sealed, external_id = EXCLUDED.external_id

-- name: endpoints
-- Of one (sub)account: every finished call asks.
SELECT account_id, kind, url, authorization_sealed, external_id FROM endpoints WHERE account_id = $1 ORDER BY kind

-- name: remove_endpoint
-- Of one (sub)account and kind.
DELETE FROM endpoints WHERE account_id = $1 AND kind = $2

-- name: numbers_held
-- Virtual numbers that one of two parties may not get again yet.
SELECT virtual_number FROM claims WHERE party_hash IN ($1, $2) AND held_until > $3

-- name: take_claim
-- Hold a pair from $5 on; changes nothing when another session holds it still.
INSERT INTO claims (party_hash, virtual_number, session_id, held_until) VALUES ($1, $2, $3, $4)
ON CONFLICT (party_hash, virtual_number) DO UPDATE
SET session_id = EXCLUDED.session_id, held_until = EXCLUDED.held_until WHERE claims.held_until <= $5

-- name: hold_claims
-- Move the end of a session's pairs, unless another session has taken them since.
UPDATE claims SET held_until = $1 WHERE party_hash IN ($2, $3) AND virtual_number = $4 AND session_id = $5

-- name: forget_claims
-- Drop a few pairs that have been free for long; called often, so a few are enough.
DELETE FROM claims WHERE (party_hash, virtual_number) IN
    (SELECT party_hash, virtual_number FROM claims WHERE held_until < $1 ORDER BY held_until LIMIT 16)

-- name: add_session
-- A new session, with nothing happened in it.
INSERT INTO sessions
    (id, account_id, subaccount_id, first_party_hash, second_party_hash, parties_sealed, virtual_number, options,
     created_at, modified_at, expires_at, planned_duration, total_call_count, total_call_billed_duration,
     calls_in_progress)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, 0)

-- name: session
-- By account and id: a foreign id finds nothing.
SELECT {session_columns} FROM sessions WHERE sessions.account_id = $1 AND sessions.id = $2

-- name: session_for_call
-- Who is meant: every incoming call asks.
SELECT {session_columns} FROM claims JOIN sessions ON sessions.id = claims.session_id
WHERE claims.party_hash = $1 AND claims.virtual_number = $2

-- name: sessions_due
-- Sessions whose time is over and whose end is not yet carried out.
SELECT {session_columns} FROM sessions WHERE sessions.ended_at IS NULL AND sessions.expires_at <= $1
ORDER BY sessions.expires_at, sessions.id LIMIT $2

-- name: list_sessions
-- The start of a list; conditions, order and limits are added by storage/session_list.py.
SELECT {session_columns} FROM sessions

-- name: count_sessions
-- The start of a list's total.
SELECT count(*) FROM sessions

-- name: update_session
-- New options and a new planned end.
UPDATE sessions SET options = $2, expires_at = $3, planned_duration = $4, modified_at = $5 WHERE id = $1

-- name: end_session
-- Once: the caller has seen that it has not ended.
UPDATE sessions SET ended_at = $2, modified_at = $2, expires_at = $3 WHERE id = $1

-- name: move_sessions
-- Calls were routed into a session ($2), or are over ($3 legs, $4 billed seconds, ended at $5); one row per session.
WITH moved (id, delta, legs, billed, ended_at) AS (VALUES
    (CAST($1 AS TEXT), CAST($2 AS INTEGER), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS DOUBLE PRECISION)))
UPDATE sessions
SET calls_in_progress = CASE WHEN calls_in_progress + moved.delta < 0 THEN 0 ELSE calls_in_progress + moved.delta END,
    total_call_count = total_call_count + moved.legs,
    total_call_billed_duration = total_call_billed_duration + moved.billed,
    last_interaction_at = CASE WHEN last_interaction_at > moved.ended_at OR moved.ended_at IS NULL
                               THEN last_interaction_at ELSE moved.ended_at END
FROM moved WHERE sessions.id = moved.id

-- name: reset_calls_in_progress
-- No call of a former process lives on.
UPDATE sessions SET calls_in_progress = 0 WHERE calls_in_progress > 0

-- name: add_interaction
-- One call of a session, as the session lists it.
INSERT INTO interactions
    (call_id, session_id, started_at, ended_at, caller, first_party_leg_id, second_party_leg_id, duration,
     billed_duration, legs)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (session_id, started_at, call_id) DO NOTHING

-- name: interactions
-- Of one session, in order.
SELECT call_id, started_at, ended_at, caller, first_party_leg_id, second_party_leg_id, duration, billed_duration, legs
FROM interactions WHERE session_id = $1 ORDER BY started_at, call_id

-- name: add_call
-- The record of a call that is over.
INSERT INTO calls ({call_columns})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING

-- name: call
-- By account and id: a foreign id finds nothing.
SELECT {call_columns} FROM calls WHERE account_id = $1 AND id = $2

-- name: calls
-- Of an account, newest first.
SELECT {call_columns} FROM calls WHERE account_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2

-- name: calls_of_session
-- Of one session, newest first.
SELECT {call_columns} FROM calls WHERE session_id = $3 AND account_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2

-- name: add_fact
-- A fact; one that is there already is left alone (a repeated commit).
INSERT INTO facts (position, subject, sequence, at, name, details) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (subject, sequence) DO NOTHING

-- name: fact_position
-- Where a fact was stored.
SELECT position FROM facts WHERE subject = $1 AND sequence = $2

-- name: last_sequence
-- The last fact's number of a call or session; none: 0.
SELECT COALESCE(MAX(sequence), 0) FROM facts WHERE subject = $1

-- name: facts
-- Of one call or session.
SELECT position, subject, sequence, at, name, details FROM facts WHERE subject = $1 ORDER BY sequence

-- name: facts_since
-- In order of commit.
SELECT position, subject, sequence, at, name, details FROM facts WHERE position > $1 ORDER BY position LIMIT $2

-- name: add_outbox
-- A webhook to deliver. $18 says waiting when an earlier row of the same insert is of its lane; else it is due,
-- unless the lane has an unfinished row.
INSERT INTO outbox
    (id, account_id, subaccount_id, subject, sequence, dialect, event, method, url, content_type, content_sealed,
     created_at, attempts, due_at, lane, last_status, last_error, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
    CASE WHEN EXISTS (SELECT 1 FROM outbox AS ahead
                      WHERE ahead.lane = $15 AND ahead.state IN ('waiting', 'due', 'leased'))
    THEN 'waiting' ELSE $18 END)

-- name: lease_outbox
-- Take due rows, longest due first. The outer conditions repeat the inner ones for a row that another deliverer
-- leased between the two (PostgreSQL looks again after waiting for its lock).
UPDATE outbox SET state = 'leased', owner = $1, due_at = $3, attempts = attempts + 1
WHERE id IN (SELECT id FROM outbox WHERE state IN ('due', 'leased') AND due_at <= $2 ORDER BY due_at LIMIT $4)
    AND state IN ('due', 'leased') AND due_at <= $2
RETURNING {outbox_columns}

-- name: finish_outbox
-- Write back what became of a leased row, if the lease is still ours; $7 is 0 when it was given back untried.
WITH done (id, owner, state, due_at, status, error, tried) AS (VALUES
    (CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS DOUBLE PRECISION), CAST($5 AS INTEGER),
     CAST($6 AS TEXT), CAST($7 AS INTEGER)))
UPDATE outbox
SET state = done.state, due_at = done.due_at, owner = NULL, attempts = attempts - 1 + done.tried,
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

-- name: outbox_state
-- Where a row stands, for a replay.
SELECT state FROM outbox WHERE id = $1

-- name: bring_forward_outbox
-- Due at once, instead of at its next try's time.
UPDATE outbox SET due_at = $2 WHERE id = $1

-- name: replay_outbox
-- A finished row once more from the start, behind what its lane has.
UPDATE outbox SET attempts = 0, due_at = $2,
    state = CASE WHEN EXISTS (SELECT 1 FROM outbox AS ahead
                              WHERE ahead.lane = outbox.lane AND ahead.state IN ('waiting', 'due', 'leased'))
            THEN 'waiting' ELSE 'due' END
WHERE id = $1

-- name: next_outbox_due
-- When the next try or the end of a lease is.
SELECT MIN(due_at) FROM outbox WHERE state IN ('due', 'leased')

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
    (SELECT count(*) FROM calls), (SELECT count(*) FROM facts)

-- name: count_outbox
-- Outbox rows by state.
SELECT state, count(*) FROM outbox GROUP BY state
