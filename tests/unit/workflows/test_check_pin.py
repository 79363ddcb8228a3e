"""One try of a PIN: counted, looked at, told; and what nobody may read anywhere afterwards."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import pytest
import structlog

from maskline.errors import StoreUnavailable
from maskline.logs import mask_value
from maskline.masking.decision import AskPin, Forward, Refuse, WrongPin
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import Cause
from maskline.masking.pin import PinLimits
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import SessionOptions
from maskline.metrics import read_pins
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import RecordedCall
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_session import expire_session
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from tests.support.api_world import FIRST, NUMBER, SECOND, World

CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
STRANGER, OTHER_STRANGER = Number("6590000098"), Number("6590000099")
PIN, WRONG = "48215937", "59326048"
OVER = Prompt("session_ended_prompt", text="It is over")
LIMITS = PinLimits(caller=3, number=6, lock=900.0)


@pytest.fixture(params=["memory", "sqlite"])
async def world(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "m.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    yield await Calls(store).begin()
    await store.close()


def everything_in(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir())


class Calls(World):
    def __init__(self, store):
        super().__init__()
        self.store = store

    async def begin(self):
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await add_trunk(self.store, self.clock, self.ids, TrunkWish("carrier", "192.0.2.1"))
        options = SessionOptions(is_pin_authentication_required=True, pin_prompt_play="https://h.example/pin.mp3")
        wish = SessionWish(CALLER, CALLEE, options, first_party_pin=PIN, second_party_pin="1234")
        self.create = CreateSession(self.store, self.clock, self.ids)
        self.session = await self.create(Scope(self.acme.id), wish)
        self.router = RouteCall(self.store, self.clock, RoutingRules(session_ended=OVER), LIMITS)
        self.asked = await self.router.route(STRANGER, VIRTUAL, self.trunk, self.clock.wall())
        assert isinstance(self.asked, AskPin)
        return self

    async def check(self, pin=PIN, caller=STRANGER, asked=None):
        return await self.router.check_pin(asked or self.asked, caller, pin, self.clock.wall())

    async def lock(self, caller=STRANGER):
        while (await self.check(WRONG, caller)) != WrongPin(locked=True):
            pass


async def test_the_last_wrong_pin_hangs_up_and_from_then_on_a_right_one_is_as_good_as_a_wrong_one(world):
    assert [await world.check(WRONG) for _ in range(3)] == [WrongPin(), WrongPin(), WrongPin(locked=True)]
    looked_at = []
    find = world.store.session_for_pin

    async def noting(*args):
        looked_at.append(args)
        return await find(*args)

    world.store.session_for_pin = noting
    assert [await world.check(pin) for pin in (PIN, WRONG)] == [WrongPin(locked=True)] * 2
    assert looked_at == [], "it is not even looked up"
    world.clock.advance(900)
    assert isinstance(await world.check(), Forward)
    assert len(looked_at) == 1


async def test_a_caller_who_is_locked_stays_so_in_another_process(world):
    await world.lock()
    other = RouteCall(world.store, world.clock, RoutingRules(), LIMITS)
    assert await other.check_pin(world.asked, STRANGER, PIN, world.clock.wall()) == WrongPin(locked=True)


async def test_a_number_under_attack_goes_on_for_those_it_knows(world):
    assert isinstance(await world.check(caller=OTHER_STRANGER), Forward)
    for i in range(6):
        await world.check(WRONG, Number(f"659100000{i}"))
    assert await world.check(caller=STRANGER) == WrongPin(locked=True)
    assert isinstance(await world.check(caller=OTHER_STRANGER), Forward)
    world.clock.advance(86_400)
    assert (await world.check(caller=STRANGER)).cause is Cause.SESSION_EXPIRED


async def test_a_session_that_ended_meanwhile_says_so_and_is_no_way_to_try_for_free(world):
    await expire_session(world.store, world.clock, Scope(world.acme.id), world.session.id)
    for _ in range(2):
        found = await world.check()
        assert isinstance(found, Refuse)
        assert (found.cause, found.session.id, found.prompt) == (Cause.SESSION_EXPIRED, world.session.id, OVER)
    assert (await world.check(WRONG)) == WrongPin(locked=True)


async def test_a_session_that_has_a_call_is_busy_and_one_whose_party_is_our_number_a_loop(world):
    busy = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([busy])
    assert (await world.check()).cause is Cause.SESSION_BUSY
    other = await world.account("Other")
    await add_number(world.store, world.clock, "+6590000055", other.id)
    wish = SessionWish(
        Number("6590000056"), parse_number("+6590000055"), world.session.options, first_party_pin="7777",
        second_party_pin="8888",
    )  # fmt: skip
    await world.create(Scope(world.acme.id), wish)
    assert (await world.check("7777")).cause is Cause.LOOP
    assert (await world.check("8888")).callee == Number("6590000056")


async def test_a_forced_pin_of_a_session_that_was_deleted_meanwhile_is_wrong(world):
    gone = replace(world.session, id="not-there")
    assert await world.check(caller=CALLER, asked=replace(world.asked, session=gone)) == WrongPin()


async def test_a_party_nobody_can_carry_has_no_route(world):
    await world.store.remove_trunk(world.trunk.name)
    router = RouteCall(world.store, world.clock)
    found = await router.check_pin(world.asked, STRANGER, PIN, world.clock.wall())
    assert (found.cause, found.session) == (Cause.NO_ROUTE, world.session)


async def test_a_store_that_is_away_is_said_to_be(world):
    class Away:
        def __getattr__(self, name):
            async def fail(*args, **kwargs):
                raise StoreUnavailable

            return fail

    router = RouteCall(Away(), world.clock)
    with pytest.raises(StoreUnavailable):
        await router.check_pin(world.asked, STRANGER, PIN, world.clock.wall())


async def test_the_operator_sees_that_somebody_guesses_and_not_who_or_what(world):
    with structlog.testing.capture_logs() as lines:
        await world.lock()
        await world.lock(OTHER_STRANGER)
        world.clock.advance(10)
        await world.check(WRONG, Number("6591000001"))
    assert [(line["event"], line.get("callers")) for line in lines] == [
        ("pin_caller_locked", 1), ("pin_number_locked", None),
    ]  # fmt: skip
    assert all(line["account"] == world.acme.id for line in lines)
    written = json.dumps([mask_value(line) for line in lines], default=str)
    for secret in (PIN, WRONG, STRANGER.digits, OTHER_STRANGER.digits, VIRTUAL.digits):
        assert secret not in written
    figures = {(name, labels): value for name, labels, value in read_pins(world.router.pins)}
    assert figures == {
        ("maskline_pin_tries", ("right",)): 0, ("maskline_pin_tries", ("wrong",)): 6,
        ("maskline_pin_tries", ("locked",)): 1,
        ("maskline_pin_locks", ("caller",)): 2, ("maskline_pin_locks", ("number",)): 1,
    }  # fmt: skip


async def test_no_pin_is_in_a_repr_of_what_the_router_hands_around(world):
    found = await world.check()
    texts = [repr(value) for value in (world.asked, found, await world.check(WRONG), world.session)]
    texts += [repr(getattr(found, field.name)) for field in dataclasses.fields(found)]
    assert not [text for text in texts if PIN in text or WRONG in text]


async def test_a_database_holds_no_pin_right_or_wrong(tmp_path):
    store = SqliteStore(tmp_path / "m.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    world = await Calls(store).begin()
    await world.check(WRONG)
    assert isinstance(await world.check(), Forward)
    await store.close()
    kept = everything_in(tmp_path)
    assert NUMBER.encode() in kept, "this is where one would find it"
    for pin in (PIN, WRONG):
        assert pin.encode() not in kept
