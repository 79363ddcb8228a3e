"""The rtpengine media driver.

`driver.py` is the port; `call_state.py` what it knows of a call; `signalling.py` makes calls by offers and answers
(`synthetic_sdp.py`), `sound.py` plays, mutes and presses keys, `recorder.py` records, `figures.py` reads what was
counted; `supervision.py` watches daemons and calls; `client.py` speaks to one daemon by UDP and TCP (`ng_codec.py`,
`stream.py`). What is not here: the daemon's configuration (docs/howto/rtpengine.md).
"""
