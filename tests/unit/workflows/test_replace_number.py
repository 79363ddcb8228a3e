"""A number is changed by its operator's word, rests, and is replaced in the sessions that live on it."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from maskline.errors import InvalidParameter, NotFound
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import VirtualNumberReplaced
from maskline.masking.session import Role, SessionOptions
from maskline.workflows import replace_number
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.replace_number import ReplaceNumber
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, find_number, set_number
from tests.support.api_world import NUMBER, World

pytestmark = pytest.mark.usefixtures("each_store")
SECOND_NUMBER = "+6531580002"
HOOK = "https://hooks.example/masking"


class Pool(World):
    async def start(self, *numbers: str) -> Pool:
        await self.store.open()
        self.acme = await self.account()
        for text in numbers or (NUMBER,):
            await self.number(self.acme, text)
        self.create = CreateSession(self.store, self.clock, self.ids)
        return self

    async def session(self, pair: int, hook: str = HOOK):
        wish = SessionWish(Number(f"6590001{pair:03}"), Number(f"6590002{pair:03}"), SessionOptions(callback_url=hook))
        return await self.create(Scope(self.acme.id), wish)

    async def replace(self, text: str = NUMBER):
        return await ReplaceNumber(self.store, self.clock, self.ids)(text)


class TestChanges:
    async def test_only_what_is_named_changes_and_empty_text_clears(self):
        world = await Pool().start()
        desk = "+6560000001"
        await set_number(world.store, world.clock, NUMBER, NumberChange(alias="Desk", reference_id="r", fallback=desk))
        changed = await set_number(world.store, world.clock, NUMBER, NumberChange(alias=""))
        assert (changed.alias, changed.reference_id, changed.fallback) == ("", "r", parse_number(desk))
        assert (await set_number(world.store, world.clock, NUMBER, NumberChange(fallback=""))).fallback is None
        assert await find_number(world.store, NUMBER) == await world.store.number(parse_number(NUMBER))

    async def test_a_number_moves_to_a_subaccount_and_back(self):
        world = await Pool().start()
        sub = await world.subaccount(world.acme)
        moved = await set_number(world.store, world.clock, NUMBER, NumberChange(subaccount_id=sub.id))
        assert moved.subaccount_id == sub.id
        assert (
            await set_number(world.store, world.clock, NUMBER, NumberChange(subaccount_id=""))
        ).subaccount_id is None
        with pytest.raises(InvalidParameter, match="not a subaccount"):
            await set_number(world.store, world.clock, NUMBER, NumberChange(subaccount_id="SA0"))

    async def test_a_change_to_what_is_so_already_leaves_its_place_in_the_pool(self):
        world = await Pool().start()
        version = await world.store.configuration_version()
        await set_number(world.store, world.clock, NUMBER, NumberChange(state=NumberState.ACTIVE, subaccount_id=""))
        assert await world.store.configuration_version() == version

    async def test_no_virtual_number_is_a_fallback(self):
        world = await Pool().start(NUMBER, SECOND_NUMBER)
        for text in (NUMBER, SECOND_NUMBER):
            with pytest.raises(InvalidParameter, match="fallback is a virtual number"):
                await set_number(world.store, world.clock, NUMBER, NumberChange(fallback=text))

    @pytest.mark.parametrize("text", ["+6531589999", "nonsense"])
    async def test_what_is_no_number_of_ours_is_not_found(self, text):
        world = await Pool().start()
        for act in (set_number(world.store, world.clock, text, NumberChange()), world.replace(text)):
            with pytest.raises(NotFound, match="no such virtual number"):
                await act


@pytest.mark.row("6.2/number replaced", "7.1/SessionVirtualNumberReplaced")
async def test_every_live_session_gets_another_number_and_its_customer_is_told(monkeypatch):
    monkeypatch.setattr(replace_number, "_BATCH", 2)
    world = await Pool().start(NUMBER, SECOND_NUMBER)
    sessions = [await world.session(pair) for pair in range(5)]
    world.clock.advance(10)
    done = await world.replace()
    assert (done.replaced, done.kept, done.number.state) == (5, {}, NumberState.RESTING)
    for session in sessions:
        now = await world.store.session(world.acme.id, session.id)
        assert now.virtual_number == parse_number(SECOND_NUMBER)
        assert isinstance((await world.store.facts(session.id))[-1], VirtualNumberReplaced)
    rows = await world.store.outbox(world.acme.id)
    assert {row.event for row in rows} == {"SessionVirtualNumberReplaced"} and len(rows) == 5
    assert {parse_qs(row.body.decode())["VirtualNumber"][0] for row in rows} == {SECOND_NUMBER[1:]}
    old, new = parse_number(NUMBER), parse_number(SECOND_NUMBER)
    caller = sessions[0].first_party
    assert (await world.store.session_for_call(caller, new)).id == sessions[0].id
    known = await world.store.session_for_call(caller, old)
    assert known is None or known.number_of(Role.FIRST) != old, "the old number is nobody's way in any more"


async def test_a_session_for_which_no_number_is_left_keeps_the_old_one_and_says_why(monkeypatch):
    monkeypatch.setattr(replace_number, "_BATCH", 1)
    world = await Pool().start()
    sessions = [await world.session(pair) for pair in range(3)]
    done = await world.replace()
    assert done.replaced == 0
    assert set(done.kept) == {session.id for session in sessions}
    assert all("no virtual number in this pool" in reason for reason in done.kept.values())
    assert (await world.store.session(world.acme.id, sessions[0].id)).virtual_number == parse_number(NUMBER)
    await world.number(world.acme, SECOND_NUMBER)
    again = await world.replace()
    assert (again.replaced, again.kept) == (3, {}), "what was left is taken up"


async def test_a_session_that_ends_meanwhile_is_left_alone():
    world = await Pool().start(NUMBER, SECOND_NUMBER)
    session = await world.session(1)
    found = await world.store.sessions_on(parse_number(NUMBER), now=world.clock.wall(), limit=9)
    await world.store.end_session(world.acme.id, session.id, now=world.clock.wall(), by_request=True, outbox=())

    answers = iter((found, []))

    async def stale(number, *, now, limit):
        return next(answers)

    world.store.sessions_on = stale
    done = await world.replace()
    assert (done.replaced, done.kept) == (0, {})


async def test_a_retired_number_stays_retired():
    world = await Pool().start()
    await set_number(world.store, world.clock, NUMBER, NumberChange(state=NumberState.RETIRED))
    assert (await world.replace()).number.state is NumberState.RETIRED
