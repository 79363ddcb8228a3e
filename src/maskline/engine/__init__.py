"""The call engine: who is to talk with whom, and what each hears until then.

Without IO: `core.py` is between the SIP agent and the calls (`sip_inputs.py`, `sip_requests.py`, `sip_effects.py`,
`media_inputs.py`, `dtmf_info.py`, `identity.py`), which it keeps in `call_book.py`, `call_timers.py`, `trunk_book.py`,
`counters.py`. A call is `call.py`: its table in `call_states.py`, what is done in `call_begin.py`, `call_accept.py`,
`call_greet.py`, `call_pin.py`, `call_first.py` (calls that we begin), `call_flow.py` and `call_capture.py` (calls that
a customer's application steers), `call_dial.py`, `call_talk.py` and `call_end.py`; its parts `leg.py`, `call_media.py`
(SDP), `call_record_builder.py` (facts), `announcer.py`, `call_flow_steps.py`, and `pin_prompt.py` and `capture.py` over
`digit_entry.py`. All that can happen to it is in `inputs.py`, all that it asks for in `effects.py`, what a SIP status
means in `causes.py`.
With IO: `runner.py` has the socket and the timer, `outside.py` everything else: `route_work.py`, `media_work.py`,
`prompt_work.py`. `ports.py` is what others fulfil.
"""
