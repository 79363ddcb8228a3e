"""How numbers are written to a trunk and read from it, and the headers that show a virtual number to a callee.

What it is: `Trunk.presentation` as text. What it is not: the rest of an INVITE (`identity.py`), or a say in which
number is shown. Who uses it: `identity.py`.

Every header is written from the virtual number alone, so none can carry anything of the caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from maskline.errors import InvalidParameter
from maskline.masking.dial_plan import DialPlan, dial_plan, is_of
from maskline.masking.e164 import SHORT_CODE, Number, parse_number
from maskline.masking.trunk import USUAL_PRESENTATION, IdentityHeader, NumberFormat, Presentation
from maskline.sip.build import Headers

ANONYMOUS = "sip:anonymous@anonymous.invalid"
"""RFC 3323 §4.1.1.3."""
_SEPARATORS = re.compile(r"[-.()/ ]")
"""RFC 3966 §5.1.1."""
_GLOBAL = re.compile(r"\+[1-9][0-9]*")


class Shown(NamedTuple):
    """What a callee is shown."""

    from_uri: str
    from_display: str
    headers: Headers


def dialled(number: Number, how: Presentation) -> str:
    """A number to be called as the user part of a URI. No plus stands behind a prefix."""
    if how is USUAL_PRESENTATION:
        return number.e164
    text = written(number, how)
    # A # does not stand in a URI as it is (RFC 3261 §25.1).
    return how.dial_prefix.replace("#", "%23") + text.removeprefix("+") if how.dial_prefix else text


def written(number: Number, how: Presentation) -> str:
    """In the trunk's format. A short code means something inside one country only, and stays as it is."""
    if how.number_format is NumberFormat.PLUS:
        return number.e164
    if how.number_format is NumberFormat.E164 or number.is_short_code:
        return number.digits
    plan = _plan(how)
    if number.e164.startswith(how.country_code):
        local = plan.national + number.e164[len(how.country_code) :]
        # +44 0 7… would become 007…, which is a call to Kazakhstan.
        if not local.startswith(plan.international) or plan.national.startswith(plan.international):
            return local
    return plan.international + number.digits


def read_number(user: str, how: Presentation = USUAL_PRESENTATION) -> Number | None:
    """The number that a trunk means by the user part of a URI: one with a plus or 00 has its country code. Without, 0…
    is one of the trunk's country, or if it has none nobody's, since nobody can tell whose; other digits begin with a
    country code, unless the trunk's format is national and they can be a number of its country."""
    if not user:
        return None
    if how.country_code and user[0] in "0123456789":
        user = _whole(_SEPARATORS.sub("", user), how)
    try:
        return parse_number(user)
    except InvalidParameter:
        return None


def in_context(user: str, context: str | None, places: Sequence[str] = ()) -> str:
    """The user part of a URI with what its `phone-context` adds (RFC 3966 §5.1.5). A domain makes it a number by the
    rules of whoever has that domain: `places` are those whose rules we know. Empty: a number of nobody knows where."""
    if context is None or user.startswith("+"):
        return user
    if context.startswith("+"):
        code, local = _SEPARATORS.sub("", context), _SEPARATORS.sub("", user)
        return code + local if _GLOBAL.fullmatch(code) and local.isascii() and local.isdigit() else ""
    return user if context and context in places else ""


def _whole(digits: str, how: Presentation) -> str:
    """With the country code; what is none of a number's forms stays as it is."""
    plan, is_national = _plan(how), how.number_format is NumberFormat.NATIONAL
    # No country code begins with 0, so that a prefix which does can mean one thing only, whatever the trunk's format.
    for prefix, code in ((plan.international, "+"), ("00", "+"), (plan.national, how.country_code)):
        if not prefix or not (prefix[0] == "0" or (is_national and len(digits) > SHORT_CODE)):
            continue
        if digits.startswith(prefix) and digits[len(prefix) :][:1] not in ("", "0"):
            return code + digits[len(prefix) :]
    # Numbers of some countries begin with 0 themselves: +39 06….
    whole = not plan.national and (digits[0] == "0" or (is_national and len(digits) > SHORT_CODE))
    if whole and not digits.startswith("00") and is_of(how.country_code, digits):
        return how.country_code + digits
    return digits


def means(user: str, number: Number, how: Presentation) -> bool:
    """Whether the user part of a URI that a trunk names is this number, with the trunk's dial prefix or without it."""
    if user == written(number, how) or read_number(user, how) == number:
        return True
    prefix = how.dial_prefix
    return bool(prefix) and user.startswith(prefix) and means(user[len(prefix) :], number, replace(how, dial_prefix=""))


def _plan(how: Presentation) -> DialPlan:
    """What the trunk says, and where it says nothing what its country dials."""
    national, international = how.national_prefix, how.international_prefix
    usual = dial_plan(how.country_code)
    return DialPlan(
        usual.national if national is None else national,
        usual.international if international is None else international,
    )


def show(number: Number, here: str, how: Presentation) -> Shown:
    """`number` on the way to a callee; `here` is our own host as it stands in a URI."""
    if how is USUAL_PRESENTATION:
        uri = f"sip:{number.e164}@{here}"
        return Shown(uri, "", (("P-Asserted-Identity", f"<{uri}>"),))
    uri = f"sip:{written(number, how)}@{how.from_domain or here}"
    hidden = "full" if how.privacy else "off"
    lines = {
        IdentityHeader.ASSERTED: ("P-Asserted-Identity", f"<{uri}>"),
        IdentityHeader.REMOTE_PARTY: ("Remote-Party-ID", f"<{uri}>;party=calling;screen=yes;privacy={hidden}"),
        IdentityHeader.DIVERSION: ("Diversion", f"<{uri}>;reason=unconditional;privacy={hidden}"),
    }
    headers = [lines[header] for header in how.headers if header in lines]
    if how.privacy:
        headers.append(("Privacy", "id"))
    if IdentityHeader.FROM in how.headers:
        return Shown(uri, "", tuple(headers))
    return Shown(ANONYMOUS, '"Anonymous" ', tuple(headers))
