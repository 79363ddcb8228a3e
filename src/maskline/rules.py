"""From settings to the rules that calls are routed by.

What it is: values made once, at the start. What it is not: the rules (`masking/`). Who uses it: `app.py`.
"""

from __future__ import annotations

from maskline.engine.front import Front
from maskline.engine.intake import IntakeLimits
from maskline.masking.pin import PinLimits
from maskline.masking.prompt import said_or_fetched
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import SessionOptions
from maskline.net.streams import StreamLimits, StreamSettings
from maskline.net.tls import Tls, TlsFiles
from maskline.services import Services
from maskline.settings import Settings
from maskline.webhooks.ask import Budget
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.account_events import AccountEvents
from maskline.workflows.ask_action import AskRules
from maskline.workflows.tell_operator import OperatorWebhook


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


def intake_limits(settings: Settings) -> IntakeLimits:
    """What SIP may take of this process."""
    return IntakeLimits(
        max_calls=settings.max_calls, source_rate=settings.sip_source_rate, ban_seconds=settings.sip_ban_time,
        vain_rate=settings.sip_vain_rate,
    )  # fmt: skip


def sip_front(settings: Settings) -> Front | None:
    """The proxy that all SIP goes by."""
    address = settings.sip_front_address
    return None if address is None else Front(*address)


def stream_settings(settings: Settings) -> StreamSettings:
    """Raises `ConfigurationError` for files of TLS that cannot be used."""
    limits = StreamLimits(settings.sip_connections, settings.sip_connections_per_source)
    return StreamSettings(limits, Tls(TlsFiles(*settings.sip_tls_files)), settings.sip_tls_port)


def account_events(services: Services) -> AccountEvents:
    """By which webhooks tell of accounts' alarms and stops."""
    return AccountEvents(services.store, services.ids, operator_webhook(services.settings))


def operator_webhook(settings: Settings) -> OperatorWebhook:
    """Who is told what the operator should know."""
    return OperatorWebhook(settings.operator_webhook, settings.operator_webhook_secret)
