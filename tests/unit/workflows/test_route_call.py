"""Which calls are forwarded, through which trunk, and why the others are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from maskline.masking.decision import AskPin, Forward, MatchedBy, Refuse, WrongPin
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import CallReceived, Cause, LegName
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import Role, SessionOptions
from maskline.storage.store import RecordedCall
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.build_outbox import interaction_of
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number
from maskline.workflows.set_policy import PolicyWish, set_policy
from tests.support.api_world import FIRST, NUMBER, SECOND, World
from tests.support.calls import T0, make_leg, make_record

pytestmark = pytest.mark.usefixtures("each_store")
CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
STRANGER = Number("6590000099")
OPEN_NUMBER = "+6531580002"
DESK = "+6560000001"
LIMITS = SessionOptions(ring_timeout=20, call_time_limit=90)


class Calls(World):
    async def start(self, **trunk):
        await self.store.open()
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await self.add_trunk("carrier", **trunk)
        create = CreateSession(self.store, self.clock, self.ids)
        self.session = await create(Scope(self.acme.id), SessionWish(CALLER, CALLEE, SessionOptions()))
        self.router = RouteCall(self.store, self.clock, RoutingRules(LIMITS))
        await self.router.refresh()
        return self

    async def open_for(self, party, **changes):
        """A single-party session on a number of its own."""
        await self.number(self.acme, OPEN_NUMBER)
        options = SessionOptions(create_session_with_single_party=True)
        create = CreateSession(self.store, self.clock, self.ids)
        wish = SessionWish(party, None, options)
        self.open = await create(Scope(self.acme.id), replace(wish, **changes))
        return self.open

    async def add_trunk(self, name, **more):
        return await add_trunk(self.store, self.clock, self.ids, TrunkWish(name, "192.0.2.1", **more))

    async def route(self, caller=CALLER, called=VIRTUAL, trunk=None):
        return await self.router.route(caller, called, trunk or self.trunk, self.clock.wall())


@pytest.mark.row("6.1/registered party")
async def test_either_party_reaches_the_other():
    world = await Calls().start()
    for caller, callee, role in ((CALLER, CALLEE, Role.FIRST), (CALLEE, CALLER, Role.SECOND)):
        decision = await world.route(caller)
        assert isinstance(decision, Forward)
        assert (decision.callee, decision.caller_role, decision.session) == (callee, role, world.session)
        assert decision.virtual_number.number == VIRTUAL
        assert decision.trunk == world.trunk


async def refusal(world, *args, **kwargs):
    decision = await world.route(*args, **kwargs)
    assert isinstance(decision, Refuse)
    return decision.cause, decision.virtual_number and decision.virtual_number.number, decision.session


async def test_a_number_that_is_not_ours_is_unknown():
    world = await Calls().start()
    assert await refusal(world, called=STRANGER) == (Cause.UNKNOWN_NUMBER, None, None)


@pytest.mark.row("6.1/unknown caller, neither")
async def test_a_stranger_is_refused():
    world = await Calls().start()
    assert await refusal(world, STRANGER) == (Cause.UNKNOWN_CALLER, VIRTUAL, None)


async def test_a_withheld_caller_is_refused():
    world = await Calls().start()
    assert await refusal(world, None) == (Cause.WITHHELD_CALLER, VIRTUAL, None)


@pytest.mark.row("6.1/no active session")
async def test_the_second_a_session_expires_it_forwards_no_more_whether_swept_or_not():
    world = await Calls().start()
    world.clock.advance(3599.999)
    assert isinstance(await world.route(), Forward)
    world.clock.advance(0.001)
    assert await refusal(world) == (Cause.SESSION_EXPIRED, VIRTUAL, world.session)


@pytest.mark.row("6.1/session in a call")
async def test_a_session_carries_one_call_at_a_time():
    world = await Calls().start()
    busy = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([busy])
    cause, _, _ = await refusal(world)
    assert cause is Cause.SESSION_BUSY


def writing(world, *groups):
    """A recorder which has so many groups of ends to write; how often somebody waited."""
    left, waits = list(groups), []

    async def written():
        if not left:
            return False
        waits.append(1)
        delta = -left.pop(0)
        ended = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=delta)
        await world.store.commit_calls([ended])
        return True

    world.router.wait_by(written)
    return waits


@pytest.mark.row("6.1/session in a call")
@pytest.mark.parametrize("groups", [(1,), (0, 1)])
async def test_who_dials_again_before_the_end_of_its_call_is_written_gets_through(groups):
    world = await Calls().start()
    begun = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([begun])
    waits = writing(world, *groups)
    assert isinstance(await world.route(), Forward)
    assert len(waits) == len(groups)


async def test_busy_is_busy_when_all_is_written_and_after_two_waits():
    world = await Calls().start()
    begun = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([begun])
    waits = writing(world, 0, 0, 0)
    assert (await refusal(world))[0] is Cause.SESSION_BUSY
    assert len(waits) == 2


@pytest.mark.row("6.3/PIN off", "6.3/registered party calls back")
async def test_anyone_reaches_a_single_party_who_calls_back_the_last_one():
    world = await Calls().start()
    only = await world.open_for(STRANGER)
    number = parse_number(OPEN_NUMBER)
    assert only.virtual_number == number
    assert await refusal(world, STRANGER, number) == (Cause.NO_OTHER_PARTY, number, only)
    for caller in (CALLER, None):
        decision = await world.route(caller, number)
        assert isinstance(decision, Forward)
        assert (decision.callee, decision.caller_role, decision.matched_by) == (STRANGER, Role.SECOND, MatchedBy.OPEN)
    await finish(world, only, CALLER, number)
    back = await world.route(STRANGER, number)
    assert isinstance(back, Forward)
    assert (back.callee, back.shown, back.caller_role) == (CALLER, number, Role.FIRST)


async def finish(world, session, caller, number):
    """A call of an outside party into a single-party session, from beginning to end."""
    leg = make_leg(LegName.A, source=caller, destination=number)
    record = make_record(
        leg, account_id=session.account_id, session_id=session.id, caller=Role.SECOND, virtual_number=number
    )
    facts = (CallReceived(record.id, 1, T0, "trunk", number.e164),)
    share = RecordedCall(facts, session.account_id, (), record, session.id, interaction_of(record), 0)
    await world.store.commit_calls([share])


@pytest.mark.row("6.1/unknown caller, PIN off, play set")
async def test_a_stranger_should_have_heard_the_prompt_of_a_session_on_the_number():
    world = await Calls().start()
    options = SessionOptions(unknown_caller_play="https://h.example/who.mp3")
    other = await CreateSession(world.store, world.clock, world.ids)(
        Scope(world.acme.id), SessionWish(Number("6590000011"), Number("6590000012"), options)
    )
    decision = await world.route(STRANGER)
    assert isinstance(decision, Refuse)
    assert (decision.cause, decision.session) == (Cause.UNKNOWN_CALLER, None)
    assert decision.prompt is not None
    assert (decision.prompt.option, decision.prompted_by) == ("unknown_caller_play", other)


def asks(**more):
    return SessionOptions(is_pin_authentication_required=True, pin_prompt_play="https://h.example/pin.mp3", **more)


def with_pins(options=None, **changes):
    wish = SessionWish(
        Number("6590000011"), Number("6590000012"), options or asks(), first_party_pin="1234", second_party_pin="567890"
    )
    return replace(wish, **changes)


@pytest.mark.row("6.1/unknown caller, PIN auth on")
async def test_a_stranger_on_a_number_with_pins_is_asked_and_its_pin_says_who_is_meant():
    world = await Calls().start()
    pins = await CreateSession(world.store, world.clock, world.ids)(Scope(world.acme.id), with_pins())
    asked = await world.route(STRANGER)
    assert isinstance(asked, AskPin)
    assert (asked.session, asked.prompted_by, asked.rules.longest) == (None, pins, 6)
    assert asked.rules.prompt == Prompt("pin_prompt_play", url="https://h.example/pin.mp3")
    assert isinstance(await world.route(Number("6590000011")), Forward), "its own party needs none"
    for pin, role, callee in (("1234", Role.FIRST, "6590000012"), ("567890", Role.SECOND, "6590000011")):
        found = await world.router.check_pin(asked, STRANGER, pin, world.clock.wall())
        assert isinstance(found, Forward)
        assert (found.session, found.caller_role, found.callee) == (pins, role, Number(callee))
        assert (found.shown, found.trunk, found.matched_by) == (VIRTUAL, world.trunk, MatchedBy.PIN)
    assert await world.router.check_pin(asked, STRANGER, "0000", world.clock.wall()) == WrongPin()


@pytest.mark.row("6.1/registered party, forced PIN", "6.3/PIN on")
async def test_where_a_pin_is_always_asked_only_the_right_one_reaches_somebody():
    world = await Calls().start()
    await world.number(world.acme, OPEN_NUMBER)
    create = CreateSession(world.store, world.clock, world.ids)
    first, second = Number("6590000011"), Number("6590000012")
    forced = await create(Scope(world.acme.id), with_pins(asks(force_pin_authentication=True)))
    only = await create(Scope(world.acme.id), with_pins(asks(create_session_with_single_party=True), second_party=None))
    asked = await world.route(first, forced.virtual_number)
    assert (asked.session, asked.rules.longest) == (forced, 4)
    check, now = world.router.check_pin, world.clock.wall()
    assert await check(asked, first, "567890", now) == WrongPin(), "the other party's"
    assert (await check(asked, first, "1234", now)).callee == second
    for caller in (Number("6590000044"), None):
        asked = await world.route(caller, only.virtual_number)
        assert isinstance(asked, AskPin) and asked.session is None
        assert (await check(asked, caller, "567890", now)).callee == first


@pytest.mark.row("6.1/no active session")
async def test_a_call_of_no_session_goes_to_the_fallback_under_the_installations_limits():
    world = await Calls().start()
    await set_number(world.store, world.clock, NUMBER, NumberChange(fallback=DESK))
    decision = await world.route(STRANGER)
    assert isinstance(decision, Forward)
    assert (decision.session, decision.caller_role, decision.callee) == (None, None, parse_number(DESK))
    assert (decision.shown, decision.options, decision.matched_by) == (VIRTUAL, LIMITS, MatchedBy.FALLBACK)
    world.clock.advance(3600)
    assert (await world.route(CALLER)).callee == parse_number(DESK), "so does a party whose session is over"


async def test_with_a_number_for_each_a_call_goes_both_ways_and_each_sees_its_own():
    world = await Calls().start()
    await set_policy(world.store, world.clock, world.acme.id, PolicyWish(pool="split"))
    await world.number(world.acme, OPEN_NUMBER)
    create = CreateSession(world.store, world.clock, world.ids)
    # The second party holds the first number in another session already, so that it gets the other one here.
    split = await create(Scope(world.acme.id), SessionWish(STRANGER, CALLEE, SessionOptions()))
    first, second = split.virtual_number, split.second_virtual_number
    assert first != second
    there, back = await world.route(STRANGER, first), await world.route(CALLEE, second)
    assert (there.callee, there.shown) == (CALLEE, second)
    assert (back.callee, back.shown) == (STRANGER, first)
    for number, label in ((NUMBER, "pool-1"), (OPEN_NUMBER, "pool-2")):
        await set_number(world.store, world.clock, number, NumberChange(reference_id=label))
    there, back = await world.route(STRANGER, first), await world.route(CALLEE, second)
    labels = [(one.virtual_number.reference_id, one.shown_reference_id) for one in (there, back)]
    assert sorted(labels) == [("pool-1", "pool-2"), ("pool-2", "pool-1")]
    assert (await world.route()).shown_reference_id == "pool-1", "shown what it dialled"
    assert (await refusal(world, STRANGER, second))[0] is Cause.UNKNOWN_CALLER


async def test_a_destination_no_trunk_may_call_has_no_route():
    world = await Calls().start(prefixes=("+44",))
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert await refusal(world) == (Cause.NO_ROUTE, VIRTUAL, world.session)
        world.clock.advance(60.0)
        await refusal(world)
    warning = {"event": "no_route", "account": world.acme.id, "log_level": "warning"}
    assert lines == [warning, warning], "one line a minute, without a number"


async def test_a_trunk_that_was_added_a_moment_ago_carries_the_call():
    world = await Calls().start(prefixes=("+44",))
    assert await refusal(world) == (Cause.NO_ROUTE, VIRTUAL, world.session)
    added = await world.add_trunk("just now")
    with structlog.testing.capture_logs() as lines:
        decision = await world.route()
    assert (decision.trunk, lines) == (added, []), "no second has passed since the last look"


async def test_trunks_are_not_read_again_for_each_call_without_a_route():
    world = await Calls().start(prefixes=("+44",))
    read, times = world.store.trunks, []

    async def trunks():
        times.append(world.clock.now())
        return await read()

    world.store.trunks = trunks
    for _ in range(3):
        await refusal(world)
        world.clock.advance(5.0)
    assert times == [], "nothing was configured meanwhile"


async def test_a_leg_that_comes_back_from_one_of_our_numbers_reaches_nobody():
    world = await Calls().start()
    await world.open_for(STRANGER)
    await world.number(await world.account("Other"), "+6531580003")
    assert isinstance(await world.route(CALLER, parse_number(OPEN_NUMBER)), Forward)
    for ours in (NUMBER, "+6531580003"):
        for dialled in (NUMBER, OPEN_NUMBER):
            cause, number, session = await refusal(world, parse_number(ours), parse_number(dialled))
            assert (cause, number, session) == (Cause.LOOP, parse_number(dialled), None)


async def test_a_party_that_is_another_accounts_virtual_number_is_not_called():
    world = await Calls().start()
    await world.number(await world.account("Other"), "+6531580003")
    wish = SessionWish(STRANGER, parse_number("+6531580003"), SessionOptions())
    session = await CreateSession(world.store, world.clock, world.ids)(Scope(world.acme.id), wish)
    assert await refusal(world, STRANGER) == (Cause.LOOP, VIRTUAL, session)


async def test_another_accounts_carrier_cannot_ring_our_numbers():
    world = await Calls().start()
    other = await world.account("Other")
    foreign = await world.add_trunk("foreign", account_id=other.id)
    own = await world.add_trunk("own", account_id=world.acme.id)
    assert await refusal(world, trunk=foreign) == (Cause.UNKNOWN_NUMBER, None, None)
    assert isinstance(await world.route(trunk=own), Forward)


async def test_the_longest_prefix_carries_the_call():
    world = await Calls().start()
    closer = await world.add_trunk("closer", prefixes=("+659",))
    world.clock.advance(1)
    decision = await world.route()
    assert isinstance(decision, Forward)
    assert decision.trunk == closer


async def test_trunks_are_read_again_after_a_second_and_only_when_something_changed():
    world = await Calls().start()
    assert world.router.trunks() == (world.trunk,)
    assert await world.router.refresh() is False
    added = await world.add_trunk("second")
    await world.route()
    assert world.router.trunks() == (world.trunk,)
    world.clock.advance(1)
    await world.route()
    assert world.router.trunks() == (world.trunk, added)
