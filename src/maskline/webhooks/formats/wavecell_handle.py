"""Wavecell's call handle callback of 2019 (G1): a flat body, and commands in the answer.

What it is: 8x8-wavecell.md §7.2 both ways. What it is not: anything 8x8's pages of today still have; their question is
`eight_action.py`. Who uses it: `workflows/ask_action.py`, for (sub)accounts with an endpoint of this kind and none of
8x8's; where 8x8's is asked, an endpoint of this kind is only told of digits (`workflows/status_outbox.py`).

The schema of a command is preserved nowhere. A command is therefore read as an action of 8x8's call flows, which are
what the commands became (docs/decisions/0044-wavecell-commands-are-actions.md). `dtmf` is a number, as documented;
digits that a number would change (a leading zero, `*`) go out as text.
"""

from __future__ import annotations

from typing import Any

from maskline.masking.redaction import IN_FULL, Redactor
from maskline.webhooks.formats.eight_action import CallFacts
from maskline.webhooks.formats.eight_flow import USUAL, FlowReply, read_reply
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.webhooks.formats.summary import compact_json, iso_seconds, shown_numbers

KIND = "wavecell.call_handle"
EVENT = "CALL_HANDLE"
"""Name in our outbox, of digits that are told; the body has an `eventType` of its own."""


def call_handle(facts: CallFacts, redactor: Redactor = IN_FULL) -> bytes:
    """The body: for a call that has come, and for digits that were asked for. A question is asked with numbers in
    full; `redactor` is for what is only told."""
    done = facts.done
    source, target = shown_numbers(facts.inbound, *facts.source_and_destination, redactor)
    body: dict[str, Any] = {
        "sessionId": facts.call_id,
        "callId": facts.leg_id,
        "eventType": "CALL_RECEIVED" if done is None else "DTMF_RECEIVED",
    }
    if source is not None:
        body["sourceMsisdn"] = source.removeprefix("+")
    if target is not None:
        body["targetMsisdn"] = target.removeprefix("+")
    body["direction"] = 0 if facts.inbound else 1
    if facts.reference_id:
        body["referenceId"] = facts.reference_id
    body["timestamp"] = iso_seconds(facts.at)
    body["status"] = "NOT_CONNECTED" if done is None else "CONNECTED"
    body["duration"] = facts.seconds
    if done is not None and done.digits:
        body["dtmf"] = _dtmf(done.digits)
    body["sipStatus"] = 200
    return compact_json(body)


def read_commands(body: bytes, rules: FlowRules = USUAL) -> FlowReply:
    """What `commands` ask for. Raises `FlowFault`, and nothing else."""
    return read_reply(body, rules, key="commands")


def _dtmf(digits: str) -> int | str:
    return int(digits) if digits.isdecimal() and (digits == "0" or not digits.startswith("0")) else digits
