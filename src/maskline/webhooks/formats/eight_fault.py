"""What is wrong with a call flow: the vendor's codes -10xx, their sentences and their HTTP statuses.

What it is: the tables of 8x8-wavecell.md §8.1 and the one exception that carries a row of them. What it is not: the
codes -20xx of summaries (`eight.py`). Who uses it: `eight_flow.py` and `wavecell_handle.py` raise; the API answers
with all of it, the router keeps the sentence for the operator.
"""

from __future__ import annotations

SENTENCES: dict[int, str] = {
    -1001: "Invalid JSON request body",
    -1002: "Speech profile or language parameter invalid",
    -1003: "Valid maxDigits required when minDigits provided",
    -1004: "DTMF callback url not provided",
    -1005: "Valid overallTimeout is required when digitTimeout provided",
    -1006: "OverallTimeout should be greater than digitTimeout",
    -1007: "Invalid action type",
    -1008: "Valid maxDigits is required when completeOnHash is false",
    -1009: "Invalid call flow entry provided.",
    -1010: "Some actions are provided beyond the allowed count",
    -1011: "Multiple destination phone numbers found in the request",
    -1012: "Invalid Callflow : Incorrect use of action Hangup",
    -1013: "Invalid Callflow : First action should be a MakeCall action",
    -1014: "Source or caller ID is not allowed",
    -1015: "The validity period of the call flow request has expired",
    -1016: "Invalid Callflow Content: Some special characters are invalid/unaccepted",
    -1017: "Invalid MSISDN format in Destination",
    -1018: "Execute Scenario cannot be processed together with other actions",
    -1019: "Invalid Callflow Content: scenarioName is null or empty",
    -1020: "Invalid scenarioName or account lacks permission",
    -9999: "An unknown error has occurred",
}
"""Code → sentence, letter by letter as published."""

MALFORMED = frozenset({-1001, -1007, -1009, -1011, -1016, -1017, -1019})
"""Wrong by itself, whoever sends it: 400. The others are wrong where they are sent, and 422. Published are 400 for
-1007 and 422 for -1013."""


class FlowFault(Exception):
    """This call flow cannot be taken. `str()` is the sentence: it names places by JSONPath, never a value."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = code
        """A key of `SENTENCES`."""
        self.http_status = 500 if code == -9999 else 400 if code in MALFORMED else 422
        self.sentence = joined(SENTENCES[code], detail)
        super().__init__(self.sentence)


def joined(sentence: str, detail: str) -> str:
    """The vendor's sentence, and what is wrong in particular behind it."""
    if not detail:
        return sentence
    return f"{sentence} {detail}" if sentence.endswith(".") else f"{sentence}: {detail}"
