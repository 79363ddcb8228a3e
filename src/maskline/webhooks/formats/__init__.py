"""Webhook bodies, one module per vendor: pure functions from records and facts to bytes.

What it is: `plivo` (session events), `eight` (8x8 session summary), `wavecell` (aggregated call status), and
`summary`, the status matrix and the rounding that the last two share. No vendor module imports another
(architecture.md decision 9). What it is not: delivery, signatures or the choice of a receiver. Who uses it:
`workflows/build_outbox.py`.
"""
