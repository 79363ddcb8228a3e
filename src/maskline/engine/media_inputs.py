"""Events of the media driver as inputs of the call they are about.

What it is: the table, and nothing else. Who uses it: `core.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskline.engine import inputs as i
from maskline.masking.facts import Cause
from maskline.media import port

MEDIA_INPUTS: dict[type, Callable[[Any], i.Input]] = {
    port.MediaTimedOut: lambda event: i.Stopped(Cause.MEDIA_TIMEOUT),
    port.MediaLost: lambda event: i.Stopped(Cause.MEDIA_UNAVAILABLE),
    port.PlayDone: lambda event: i.PlayDone(event.leg, event.play_id),
    port.DigitPressed: lambda event: i.Digit(event.leg, event.digit),
    port.RecordingLost: lambda event: i.RecordingOff("lost"),
}
