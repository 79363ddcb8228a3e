"""From settings to the rules that calls are routed by.

What it is: values made once, at the start. What it is not: the rules (`masking/`). Who uses it: `app.py`.
"""

from __future__ import annotations

from maskline.masking.pin import PinLimits
from maskline.masking.prompt import said_or_fetched
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import SessionOptions
from maskline.settings import Settings
from maskline.webhooks.ask import Budget
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.ask_action import AskRules


def routing_rules(settings: Settings, defaults: SessionOptions) -> RoutingRules:
    """`defaults`: time limits of calls that belong to no session."""
    return RoutingRules(
        fallback=defaults,
        withheld=Withheld(settings.withheld_caller.value),
        withheld_prompt=said_or_fetched("withheld_caller", settings.withheld_prompt),
        session_ended=said_or_fetched("session_ended", settings.session_ended_prompt),
        consent=said_or_fetched("consent", settings.consent_prompt),
        digit_timeout=settings.pin_digit_timeout,
        pin_timeout=settings.pin_timeout,
    )


def pin_limits(settings: Settings) -> PinLimits:
    return PinLimits(
        settings.pin_caller_limit, settings.pin_number_limit, settings.pin_window, settings.pin_lock
    )  # fmt: skip


def ask_budget(settings: Settings) -> Budget:
    return Budget(settings.call_action_connect, settings.call_action_total)


def ask_rules(settings: Settings) -> AskRules:
    failed = said_or_fetched("call_action_failed", settings.call_action_failed_prompt)
    return AskRules(FlowRules(strict=settings.eight_strict), failed)
