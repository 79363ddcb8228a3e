"""What the product does, one verb a file: each takes the store, the clock and the ids it needs, explicitly.

What it is: the only door to the store for API dialects, console and CLI. What it is not: an API shape; names
and sentences of vendors stay in their dialects. Who uses it: `api`, `cli`, `app`, and the engine's runner
through `engine/ports`.

Where to look, beside the file that is named as what you want:
- a call comes: `route_call` asks `routing_answers`, `check_pin`, `ask_action` (a customer's application; `plan_flow`
  looks its flow up), `trunk_table`; a call is asked for: `request_flow`, `start_flow`, `start_call` over `request_loop`
- what becomes of it: `record_call` builds with `call_progress`, `build_outbox`, `status_outbox`, `recording_outbox`
- who hears of it: `receivers`; of numbers `number_outbox`, of uploads `uploaded_outbox`; tried out by `trigger_event`
  with `sample_events` and `judge_answer`
- recordings: `process_recordings` and `push_destination`, `push_configs`, `recording_status`, `recording_links`;
  tables of calls: `exports`, `process_exports`
- who may ask: `find_account`, `find_by_key`, `scope`; whose number it is: `owns`; how sessions tell the process what
  they did: `hooks`
"""
