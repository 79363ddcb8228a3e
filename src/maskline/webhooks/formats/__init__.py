"""Webhook bodies, one module per vendor: pure functions from records and facts to bytes.

What it is: `plivo*` (session events), `eight*` (call actions, statuses, summaries, recordings, numbers, exports, and
the call flows that come back), `wavecell*` (its older forms of two of them), and what 8x8 and Wavecell share:
`summary` (status matrix, times), `shape` (a receiver's wishes) and `strict_json`. Plivo's modules and the others know
nothing of each other (architecture.md decision 9); Wavecell's call handle is 8x8's call action in other words. What it
is not: delivery, signatures or the choice of a receiver. Who uses it: `workflows/*_outbox.py`, `ask_action.py`, and
the 8x8 API for call flows and exports.
"""
