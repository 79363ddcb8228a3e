"""The embedded media driver: relay workers of our own, and the engine's end of them.

In the engine's process: `driver.py` is the port, `link.py` one worker's supervised connection, `process.py` starts
workers, `wanted.py` remembers what a new one has to be told, `figures.py` adds up what two of them counted.
Between the two: `wire.py` and `events.py`.
In a worker's process: `worker.py` is its loop, `control.py` its socket, `relay.py` its calls, `call.py` one call;

    the path of a packet    leg.py over far_side.py, payloads.py, sockets.py, ports.py
    what we say             pace.py beats for player.py (clips.py) and keypad.py, numbered by outgoing.py
    what we listen to       ear.py; spooling.py writes recordings
    RTCP                    report_port.py, reports.py

What is not here: formats that both drivers share (`media/rtp.py`, `dtmf.py`, `inband.py`, `spool.py`, `quality.py`).
"""
