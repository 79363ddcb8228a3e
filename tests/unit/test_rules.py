"""From settings to the rules of routing."""

from __future__ import annotations

from maskline.engine.intake import IntakeLimits
from maskline.masking.pin import PinLimits
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import SessionOptions
from maskline.net.streams import StreamLimits
from maskline.rules import ask_budget, ask_rules, intake_limits, pin_limits, routing_rules, stream_settings
from maskline.setting_values import WithheldPolicy
from maskline.settings import Settings
from maskline.webhooks.ask import Budget
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.ask_action import AskRules

LIMITS = SessionOptions(ring_timeout=20)


def test_the_defaults_of_settings_are_those_of_the_rules() -> None:
    assert routing_rules(Settings(), LIMITS) == RoutingRules(LIMITS)
    assert pin_limits(Settings()) == PinLimits()
    assert (ask_budget(Settings()), ask_rules(Settings())) == (Budget(), AskRules())


def test_every_setting_arrives() -> None:
    settings = Settings(
        withheld_caller=WithheldPolicy.PROMPT, withheld_prompt="say:Who?", session_ended_prompt="https://h.example/over",
        consent_prompt="say@en-gb:Recorded", pin_digit_timeout=2.0, pin_timeout=9.0, pin_caller_limit=2,
        pin_number_limit=7, pin_window=60.0, pin_lock=30.0, call_action_connect=1.5, call_action_total=2.5,
        call_action_failed_prompt="say:Sorry", eight_strict=True,
    )  # fmt: skip
    assert routing_rules(settings, LIMITS) == RoutingRules(
        LIMITS, Withheld.PROMPT, Prompt("withheld_caller", text="Who?"),
        Prompt("session_ended", url="https://h.example/over"),
        Prompt("consent", text="Recorded", voice="en-gb"), 2.0, 9.0,
    )  # fmt: skip
    assert pin_limits(settings) == PinLimits(2, 7, 60.0, 30.0)
    assert ask_budget(settings) == Budget(1.5, 2.5)
    assert ask_rules(settings) == AskRules(FlowRules(strict=True), Prompt("call_action_failed", text="Sorry"))
    assert {one.value for one in WithheldPolicy} == {one.value for one in Withheld}


def test_what_sip_may_take_is_what_the_settings_say() -> None:
    settings = Settings(max_calls=11, sip_source_rate=22.0, sip_ban_time=33.0, sip_vain_rate=44.0)
    expected = IntakeLimits(max_calls=11, source_rate=22.0, ban_seconds=33.0, vain_rate=44.0)
    assert intake_limits(settings) == expected
    streams = stream_settings(Settings(sip_connections=55, sip_connections_per_source=6, sip_tls_port=7777))
    assert streams.limits == StreamLimits(connections=55, per_source=6)
    assert streams.tls_port == 7777
