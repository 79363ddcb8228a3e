"""What the product does, one verb a file: each takes the store, the clock and the ids it needs, explicitly.

What it is: the only door to the store for API dialects, console and CLI. What it is not: an API shape; names
and sentences of vendors stay in their dialects. Who uses it: `api`, `cli`, `app`, and the engine's runner
through `engine/ports`.
"""
