# budget: one function a page beside the readers they share; a second file would import half of this one
"""Write docs/reference/ from the declarations in src: settings, errors, events, commands, metrics.

What it is: one function a page, each a pure function of the imported package, so that a test can compare the
committed files with what the code says today (tests/unit/test_project_reference.py). What it is not: prose; whatever
has to be explained is a docstring under the declaration. Called by `make docs`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import typer.main
from prometheus_client import CollectorRegistry

import maskline
from maskline import client
from maskline.api.metrics import HttpMetrics
from maskline.api.plivo import attributes, filters, openapi
from maskline.engine import announcer, call_change, call_states, capture, causes, pin_prompt
from maskline.errors import MasklineError
from maskline.logs import EVENTS
from maskline.masking import facts
from maskline.masking.session import SessionOptions
from maskline.settings import describe
from maskline.sip import transaction_states
from maskline.webhooks.formats import (
    eight,
    eight_action,
    eight_number,
    eight_recording,
    eight_status,
    native,
    plivo,
    plivo_events,
    wavecell,
    wavecell_handle,
)
from maskline.workflows import set_webhook, status_outbox
from maskline.workflows.sample_native import sample_text

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
Machine = Mapping[tuple[Any, Any], tuple[Any, Sequence[Any]]]
"""(state, input) to (next state, actions), all as words."""
HEAD = "<!-- Written by `make docs` from the declarations in src. Edit those, not this file. -->\n\n"


# --- pages


def settings_page() -> str:
    rows = []
    for doc in describe():
        default = "(empty)" if doc.default == "" else f"`{doc.default}`"
        rows.append(
            [f"`{doc.env}`", doc.type, default, doc.sentence + (" *Secret: never shown.*" if doc.secret else "")]
        )
    intro = (
        "Read from the environment when a command starts; an empty variable counts as unset. A wrong value ends the\n"
        "command with one sentence that names the variable. `maskline doctor` shows what is in force.\n\n"
    )
    return "# Settings\n\n" + intro + table(("variable", "type", "default", "what it does"), rows)


def errors_page() -> str:
    rows = []
    for cls in error_classes():
        sentence = sentence_of(cls)
        rows.append([f"`{cls.code}`", sentence, str(cls.http_status), str(cls.sip_status)])
    intro = (
        "Every failure has a stable code. The dialects answer with the HTTP status and put the sentence (often a more\n"
        "precise one than the general one below) where their vendor does; the command line prints it and exits with\n"
        "1; when it ends a call, the caller's side is answered with the SIP status. In the API a sentence has no full\n"
        "stop at its end, as the vendors' have none.\n\n"
    )
    return "# Errors\n\n" + intro + table(("code", "sentence", "HTTP", "SIP"), rows)


def events_page() -> str:
    return "# Events\n\n" + "\n".join(
        [_facts(), _outcomes(), _plivo_events(), _summaries(), _native(), _causes(), _log_lines()]
    )


def _facts() -> str:
    rows = []
    for name, cls in facts.FACTS.items():
        documented = attribute_docs(cls)
        own = [field.name for field in fields(cls) if field.name not in ("subject", "sequence", "at")]
        details = [f"`{key}`" + (f": {documented[key]}" if key in documented else "") for key in own]
        rows.append([f"`{name}`", own_sentence(cls), "<br>".join(details)])
    intro = "What happened, kept with the call or session and numbered from 1; `maskline call show` prints them.\n\n"
    return "## Facts\n\n" + intro + table(("fact", "when", "details"), rows)


def _outcomes() -> str:
    parts = []
    for title, enum in (("Outcomes", facts.Outcome), ("Who hung up", facts.HungUpBy)):
        documented = attribute_docs(enum)
        rows = [[f"`{member}`", documented.get(member.name, "")] for member in enum]
        parts.append(f"### {title}\n\n{(enum.__doc__ or '').strip()}\n\n" + table(("value", "note"), rows))
    return "\n".join(parts)


_FROM_FACT: dict[str, type[facts.Fact]] = {
    plivo_events.SESSION_TIMEOUT: facts.SessionExpired,
    plivo_events.PARAM_UPDATE: facts.SessionUpdated,
    plivo_events.NUMBER_REPLACED: facts.VirtualNumberReplaced,
    plivo_events.PIN_STATUS: facts.PinChecked,
}


def _plivo_events() -> str:
    generations = list(plivo_events.Generation)
    rows = [
        [
            f"`{row.event}`",
            f"`{row.fact.name}`",
            row.leg,
            *("x" if one in row.generations else "" for one in generations),
        ]
        for row in plivo_events.LEG_EVENTS
    ]
    for event, fact in _FROM_FACT.items():
        told = plivo_events.SESSION_EVENTS[event]
        rows.append([f"`{event}`", f"`{fact.name}`", "", *("x" if one in told else "" for one in generations)])
    intro = (
        "Sent to a masking session's callback URL, form-encoded and signed (V3); VTS customers too. Which\n"
        "of them are sent is chosen by `MASKLINE_PLIVO_EVENTS`; `2024` is the default.\n\n"
    )
    head = ("`EventName`", "from fact", "leg", *(f"`{one}`" for one in generations))
    return "## Webhook events: Plivo and VTS\n\n" + intro + table(head, rows)


def _summaries() -> str:
    sent = {
        eight_action: "when a call of no session comes, and when its flow leaves open what is next",
        eight_status: "at each step of each leg",
        eight: "once, when the call is over",
        eight_recording: "when the file of a recording was pushed",
        eight_number: "when a virtual number changes",
        wavecell_handle: "as 8x8's call action, where that has no endpoint; else of digits",
        wavecell: "once, when the call is over",
    }
    rows = [[f"`{one.KIND}`", f"`{one.EVENT}`", when] for one, when in sent.items()]
    intro = (
        "Sent as JSON to the endpoints that a subaccount has configured, or the account for numbers without a\n"
        "subaccount.\n\n"
    )
    head = ("endpoint kind", "event", "sent")
    steps = [[f"`{status}`", f"`{fact.name}`"] for fact, status in status_outbox.STATUSES.items()]
    options = [
        [f"`{kind}`", f"`{name}`", ", ".join(f"`{value}`" for value in values)]
        for kind, by_name in set_webhook.OPTIONS.items()
        for name, values in by_name.items()
    ]
    return (
        "## Webhook events: 8x8 and Wavecell\n\n" + intro + table(head, rows)
        + "\nWhat a leg's steps are told as:\n\n" + table(("`callStatus`", "from fact"), steps)
        + "\nWhat an endpoint may be told, where the vendors' pages of several years differ:\n\n"
        + table(("endpoint kind", "option", "values"), options)
    )  # fmt: skip


def _native() -> str:
    intro = (
        "Sent as JSON (`type`, `timestamp`, `data`) to endpoints of kind `native`, signed by Standard Webhooks where\n"
        "the endpoint has a secret. `maskline events trigger TYPE` sends any of them to try a receiver.\n\n"
    )
    rows = [[f"`{event}`", sentence] for event, sentence in native.EVENTS.items()]
    samples = "\n".join(f"```json\n{sample_text(event)}\n```\n" for event in native.EVENTS)
    table_ = table(("`type`", "sent when"), rows)
    return f"## Webhook events: Maskline's own\n\n{intro}{table_}\n### One of each\n\n{samples}"


def _causes() -> str:
    rows = []
    for cause in facts.Cause:
        name, code = plivo.HANGUP_CAUSES.get(cause, ("", ""))
        early, early_code = plivo.UNANSWERED_CAUSES.get(cause, ("", ""))
        if early:
            name, code = f"{name}, {early} before the answer", f"{code}, {early_code} before the answer"
        error = eight.ERROR_CODES.get(cause)
        rows.append([f"`{cause}`", name, str(code), "" if error is None else f"{error} {eight.ERRORS[error]}"])
    intro = (
        "Why a leg ended, and what each vendor's webhook says then. An 8x8 summary carries an error only when its\n"
        "session failed; a failing cause without an entry is -9999.\n\n"
    )
    head = ("cause", "`PlivoHangupCause`", "`PlivoHangupCauseCode`", "8x8 error")
    return "## Causes\n\n" + intro + table(head, rows)


def _log_lines() -> str:
    rows = [[f"`{name}`", sentence] for name, sentence in EVENTS.items()]
    intro = (
        "The names a log line may carry. Every number in a line is masked before it is written. A time in a line\n"
        "(`at`) is UTC to the second in text and seconds since 1970 in JSON; its own `timestamp` is ISO 8601.\n\n"
    )
    return "## Log lines\n\n" + intro + table(("event", "meaning"), rows)


def commands_page() -> str:
    main = importlib.import_module("maskline.cli.main")
    root = typer.main.get_command(main.app)
    intro = "Every command exits with 0 when it did what was asked; otherwise one sentence on stderr says why.\n"
    parts = ["# Commands\n\n" + intro]
    for path, command in walk_commands(root, ()):
        parts.append(command_section(path, command))
    return "\n".join(parts)


def command_section(path: tuple[str, ...], command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [
        item for item in command.params if item.param_type_name == "option" and not getattr(item, "hidden", False)
    ]
    words = ["maskline", *path, *(argument_name(item) for item in arguments), *(["[OPTIONS]"] if options else [])]
    usage = " ".join(words)
    text = f"## maskline {' '.join(path)}\n\n{textwrap.dedent(command.help or '').strip()}\n\n```\n{usage}\n```\n"
    rows = [[f"`{argument_name(item)}`", _required(item), _help(item)] for item in arguments]
    rows += [[f"`{option_name(item)}`", _required(item), _help(item)] for item in options]
    return text + ("\n" + table(("argument or option", "", "meaning"), rows) if rows else "")


def argument_name(item: Any) -> str:
    return str(item.metavar or item.name.upper())


def option_name(item: Any) -> str:
    value = "" if getattr(item, "is_flag", False) else " " + str(item.metavar or item.name.upper())
    return ", ".join(item.opts) + value


def _required(item: Any) -> str:
    if item.required:
        return "required"
    return "repeatable" if item.multiple or item.nargs == -1 else ""


def _help(item: Any) -> str:
    text = " ".join(str(getattr(item, "help", "") or "").split())
    default = getattr(item.default, "value", item.default)
    if not item.required and isinstance(default, (str, int, float)) and default not in ("", False):
        text += f" Default: `{default}`."
    return text


def metrics_page() -> str:
    rows = []
    for name, kind, sentence, labels in sorted(metric_declarations()):
        exported = f"{name}_total" if kind == "counter" and not name.endswith("_total") else name
        rows.append([f"`{exported}`", kind, ", ".join(f"`{label}`" for label in labels), sentence])
    intro = (
        "Prometheus text at `GET /metrics`. Labels are closed lists: never an account, an address or a number. The\n"
        "figures of the process (`process_…`) and of Python (`python_info`) come with them.\n\n"
    )
    return "# Metrics\n\n" + intro + table(("name", "kind", "labels", "meaning"), rows)


def sip_transactions_page() -> str:
    intro = (
        "The four machines of RFC 3261 §17 with the Accepted states of RFC 6026, as `src/maskline/sip/"
        "transaction_states.py` holds them.\nWhat has no row is ignored. Timers: `retransmit` is A, E or G, `timeout` "
        "B, F or H, `linger` D, I, J, K, L or M.\n\n"
    )
    machines = (
        ("Client, INVITE", transaction_states.CLIENT_INVITE),
        ("Client, other requests", transaction_states.CLIENT_OTHER),
        ("Server, INVITE", transaction_states.SERVER_INVITE),
        ("Server, other requests", transaction_states.SERVER_OTHER),
    )
    return "# SIP transactions\n\n" + intro + "\n".join(_machine(title, rows) for title, rows in machines)


def calls_page() -> str:
    intro = (
        "One call and its two legs, as `src/maskline/engine/call_states.py` holds them, and the machines for\n"
        "changes of both (`call_change.py`) and for what somebody hears and is asked (`announcer.py`,\n"
        "`pin_prompt.py`, `capture.py`). What has no row changes\n"
        "nothing: it is the late half of a race. A leg sees its signal before the call does. The next state is the\n"
        "way things go well: an action that cannot go that way ends the call, or parts with a caller who was\n"
        "answered already.\n\n"
    )
    machines = (
        ("The call", _call_rows()),
        ("An inbound leg: the caller's", _leg_rows(call_states.LEG_IN)),
        ("An outbound leg: the callee's, and the first party's when we call it", _leg_rows(call_states.LEG_OUT)),
        ("A change that both sides have to agree to", _dialogue_rows(call_change.CHANGE)),
        ("What a leg hears from us", _hearing_rows()),
        ("Asking for a PIN", _dialogue_rows(pin_prompt.ASKING)),
        ("Asking for digits, as a call flow says", _dialogue_rows(capture.CAPTURING)),
    )
    return "# Calls\n\n" + intro + "\n".join(_machine(*machine) for machine in machines) + "\n" + _statuses()


def _call_rows() -> Machine:
    return {
        (_low(state), _event(event)): (_low(target), [action.replace("_", " ")])
        for (state, event), (target, action) in call_states.CALL.items()
    }


def _event(event: call_states.CallEvent) -> str:
    return f"timer {_low(event)}" if isinstance(event, Enum) else _words(event.__name__)


def _hearing_rows() -> Machine:
    return {
        (_low(state), _low(signal)): (_low(target), [_low(action) for action in actions])
        for (state, signal), (target, actions) in announcer.HEARING.items()
    }


def _dialogue_rows(rows: Mapping[Any, tuple[Enum, str]]) -> Machine:
    return {
        (_low(state), _low(signal)): (_low(target), [action.replace("_", " ")])
        for (state, signal), (target, action) in rows.items()
    }


def _leg_rows(rows: call_states.LegTable) -> Machine:
    return {
        (_low(state), _low(signal)): (_low(target), [_low(action) for action in actions])
        for (state, signal), (target, actions) in rows.items()
    }


def _low(member: Enum) -> str:
    return member.name.lower().replace("_", " ")


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _statuses() -> str:
    intro = (
        "A final response of the callee becomes a cause, and the cause becomes the caller's response; nothing else\n"
        "of it crosses (`src/maskline/engine/causes.py`). A Q.850 cause in a Reason header beats the status. A status\n"
        "without a row is `carrier_error`, any 3xx is `redirected`.\n\n"
    )
    rows = []
    for cause in facts.Cause:
        sources = [str(status) for status, found in causes.BY_STATUS.items() if found is cause]
        sources += [f"{status} after ringing" for status, found in causes.AFTER_RINGING.items() if found is cause]
        q850 = [str(value) for value, found in causes.BY_Q850.items() if found is cause]
        rows.append([f"`{cause}`", ", ".join(sources), ", ".join(q850), str(causes.answer_to_caller(cause))])
    return (
        "## Statuses\n\n" + intro + table(("cause", "callee's status", "callee's Q.850", "status to the caller"), rows)
    )


def _machine(title: str, rows: Machine) -> str:
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, signal), (target, _) in rows.items():
        edges.setdefault((state, target), []).append(signal)
    diagram = "".join(f"    {state} --> {target}: {', '.join(on)}\n" for (state, target), on in edges.items())
    lines = table(
        ("state", "input", "next state", "what is done"),
        ((state, signal, target, ", ".join(actions)) for (state, signal), (target, actions) in rows.items()),
    )
    return f"## {title}\n\n```mermaid\nstateDiagram-v2\n{diagram}```\n\n{lines}"


def client_page() -> str:
    intro = (
        "Keyword arguments, results and errors of `maskline.client`. How to use it is told in\n"
        '[Use the Python client](../howto/use-the-python-client.md). None as an argument means "not given".\n'
    )
    parts = ["# The Python client\n\n" + intro]
    for title, classes in _CLIENT_FIELDS.items():
        for cls in classes:
            rows = [[f"`{name}`", f"`{kind}`", told] for name, kind, told in field_rows(cls)]
            parts.append(f"## {title}: `{cls.__name__}`\n\n{own_sentence(cls)}\n\n" + table(("name", "type", ""), rows))
    errors = [cls for name in client.__all__ if issubclass(cls := getattr(client, name), Exception)]
    parts.append("## Errors\n\n" + table(("class", "is a", ""), [
        [f"`{cls.__name__}`", f"`{cls.__base__.__name__}`" if cls.__base__ else "", own_sentence(cls)] for cls in errors
    ]))  # fmt: skip
    return "\n".join(parts)


def sessions_page() -> str:
    rows = []
    for each in attributes.ATTRIBUTES:
        default = getattr(SessionOptions(), each.name, "")
        names = ", ".join(f"`{alias}`" for alias in each.aliases)
        rows.append([
            f"`{each.name}`", _taken(each), "" if default in ("", False) or each.name == "geomatch" else f"`{default}`",
            "yes" if each.updatable else "single party" if each.fillable else "",
            each.about + (f" Also read: {names}." if names else ""),
        ])  # fmt: skip
    intro = (
        "What a create and an update at `/v1/Account/{auth_id}/Masking/Session/` take. Default times are those of\n"
        "`MASKLINE_SESSION_DEFAULTS=documented`. Texts are taken for booleans and numbers; 0 and null mean unset\n"
        "(but for `pin_retry`); unknown names are skipped, and so are details of PINs without\n"
        "`is_pin_authentication_required`.\n"
        "The machine-readable description is served at `/v1/openapi.json`.\n\n"
    )
    head = ("name", "takes", "default", "may change", "what it does")
    return "# Masking sessions\n\n" + intro + table(head, rows) + "\n" + _session_lists()


def _taken(each: attributes.Attribute) -> str:
    match each.kind:
        case attributes.Kind.INTEGER | attributes.Kind.COUNT:
            return f"{each.minimum} to {each.maximum}"
        case attributes.Kind.CHOICE:
            return " or ".join(f"`{choice}`" for choice in each.choices)
        case attributes.Kind.PIN:
            return "{} to {} digits".format(*attributes.PIN_DIGITS)
        case attributes.Kind.URL:
            return f"http(s) URL under {attributes.URL_LIMIT} characters"
    return {"number": "telephone number", "subaccount": "auth id"}.get(each.kind, str(each.kind))


def _session_lists() -> str:
    operators = ", ".join(f"`__{operator}`" for operator in filters.OPERATORS)
    rows = [[f"`{name}`", "the same number, with or without `+`"] for name in filters.NUMBERS]
    statuses = ", ".join(f"`{status}`" for status in filters.STATUSES)
    rows.append(["`status`", f"{statuses}; `active` finds those with a call up too, `in-progress` those alone"])
    rows.extend([f"`{name}`", f"equal, or with {operators}"] for name in filters.RANGES)
    rows.append(["`subaccount`", "sessions of this subaccount"])
    rows.append(
        ["`limit`, `offset`", f"1 to {filters.MAX_LIMIT}, {filters.DEFAULT_LIMIT} when left out; sessions to skip"]
    )
    days, most = filters.DEFAULT_WINDOW // 86_400, filters.MAX_WINDOW // 86_400
    fields = ", ".join(f"`{name}`" for name in openapi.SESSION_FIELDS)
    flat, numbers, pins = (
        ", ".join(f"`{name}`" for name in names)
        for names in (openapi.FLAT_FIELDS, openapi.FLAT_NUMBERS, openapi.FLAT_PINS)
    )
    return (
        f"## Filters of a list\n\nNewest first. Without times the last {days} days are looked at, {most} at most.\n\n"
        + table(("name", "finds"), rows)
        + f"\n## What is shown\n\nBelow `/v1`: {fields}.\n\nBelow `/vts/v1`, as texts: {flat}.\n\n"
        f"A session that holds its numbers in another way than `shared`, or has PINs, has there besides: {numbers}; "
        f"with PINs also {pins}.\n"
    )


_CLIENT_FIELDS: dict[str, tuple[type, ...]] = {
    "Create and update": (client.options.SessionOptions,),
    "Create": (client.CreateOptions,),
    "Update": (client.UpdateOptions,),
    "List": (client.ListFilters,),
    "Result": (
        client.Session,
        client.SessionReply,
        client.Interaction,
        client.SessionPage,
        client.Meta,
        client.Message,
    ),
    "Settings": (client.Retries,),
}


def field_rows(cls: type) -> list[tuple[str, str, str]]:
    """Name, type as written and sentence of each field a class declares itself."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    told = attribute_docs(cls)
    declared = [
        (ast.unparse(node.target), ast.unparse(node.annotation))
        for node in body.body
        if isinstance(node, ast.AnnAssign)
    ]
    return [(name, kind, told.get(name, "")) for name, kind in declared]


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "sip-transactions.md": sip_transactions_page,
    "calls.md": calls_page,
    "client.md": client_page,
    "sessions.md": sessions_page,
}


# --- reading declarations


def all_modules() -> Iterator[ModuleType]:
    yield maskline
    for info in pkgutil.walk_packages(maskline.__path__, "maskline."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def error_classes() -> list[type[MasklineError]]:
    """The whole tree, by code; classes that share a parent's code say the same to a user and are left out."""
    for _ in all_modules():
        """Importing every module is what makes the tree complete."""
    found: dict[str, type[MasklineError]] = {}
    todo: list[type[MasklineError]] = [MasklineError]
    while todo:
        cls = todo.pop(0)
        found.setdefault(cls.code, cls)
        todo.extend(cls.__subclasses__())
    return [found[code] for code in sorted(found)]


def error_names() -> set[str]:
    """Class names of the whole tree."""
    names, todo = set(), [MasklineError]
    while todo:
        cls = todo.pop()
        names.add(cls.__name__)
        todo.extend(cls.__subclasses__())
    return names


def metric_declarations() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """(name, kind, sentence, labels) of what modules declare in lists, and of what the API counts itself."""
    declared = importlib.import_module("maskline.metrics").Declared
    seen = set()
    for module in all_modules():
        for value in vars(module).values():
            for item in value if isinstance(value, (tuple, list)) else ():
                if isinstance(item, declared) and item.name not in seen:
                    seen.add(item.name)
                    yield item.name, item.kind, item.sentence, item.labels
    registry = CollectorRegistry()
    HttpMetrics(registry)
    for collector in registry._collector_to_names:
        labels = tuple(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            yield family.name, family.type, family.documentation, labels


def walk_commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Leaves of the tree in the order of help; hidden ones are for programs, not people."""
    if command.hidden:
        return
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name in children:
        yield from walk_commands(children[name], (*path, name))


def attribute_docs(cls: type) -> dict[str, str]:
    """The sentences that stand under a class's fields or members (style: field docs live under the field)."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        target = before.targets[0] if isinstance(before, ast.Assign) else getattr(before, "target", None)
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = " ".join(str(after.value.value).split())
    return found


def own_sentence(cls: type) -> str:
    """The docstring somebody wrote; dataclasses without one get their signature from Python."""
    text = (cls.__doc__ or "").strip()
    return "" if text.startswith(f"{cls.__name__}(") else " ".join(text.split())


def sentence_of(cls: type) -> str:
    return own_sentence(cls) or own_sentence(cls.__mro__[1])


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "---|" * lines[0].count(" | ") + "---|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        text = HEAD + page()
        path = REFERENCE / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"written: docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
