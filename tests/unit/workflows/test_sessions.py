"""A masking session from its creation to its end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from maskline.errors import InvalidParameter, NotFound, PoolExhausted, SessionEnded, StoreUnavailable
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import SessionExpired, SessionUpdated
from maskline.masking.session import SessionOptions, SessionStatus
from maskline.storage.filters import SessionFilter
from maskline.webhooks.formats.plivo import Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.workflows.build_outbox import param_update_outbox
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_session import expire_session
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.get_session import get_session
from maskline.workflows.list_sessions import list_sessions
from maskline.workflows.scope import Scope
from maskline.workflows.update_session import UpdateSession
from tests.support.api_world import FIRST, NUMBER, SECOND, World


def wish(first=FIRST, second=SECOND, options=None, **more):
    return SessionWish(parse_number(first), parse_number(second), options or SessionOptions(), **more)


class Sessions(World):
    """One account with one Singapore number; `create` makes sessions in it."""

    async def start(self, *numbers):
        self.acme = await self.account()
        self.scope = Scope(self.acme.id)
        for text in numbers or (NUMBER,):
            await self.number(self.acme, text)
        self.create = CreateSession(self.store, self.clock, self.ids)
        self.update = UpdateSession(self.store, self.clock, self.ids)
        return self


class TestCreate:
    @pytest.mark.row("2/session_expiry")
    async def test_gives_number_id_and_times(self):
        world = await Sessions().start()
        session = await world.create(world.scope, wish(options=SessionOptions(session_expiry=600)))
        assert session.virtual_number == Number("6531580001")
        assert session.created_at == session.modified_at == world.clock.wall()
        assert session.expires_at == world.clock.wall() + 600
        assert await get_session(world.store, world.scope, session.id) == session

    @pytest.mark.parametrize("party", ["first", "second"])
    async def test_refuses_a_short_code_as_party(self, party):
        world = await Sessions().start()
        with pytest.raises(InvalidParameter) as caught:
            await world.create(world.scope, wish(**{party: "911"}))
        assert caught.value.sentence == f"Invalid parameter. {party}_party is not a valid phone number"

    async def test_refuses_one_party_twice(self):
        world = await Sessions().start()
        with pytest.raises(InvalidParameter) as caught:
            await world.create(world.scope, wish(second="+65 9000-0001"))
        assert caught.value.sentence == "Invalid parameter. second_party must differ from first_party"

    @pytest.mark.parametrize(("first", "second"), [(NUMBER, SECOND), (FIRST, NUMBER)])
    async def test_refuses_an_own_virtual_number_as_party(self, first, second):
        world = await Sessions().start()
        with pytest.raises(InvalidParameter, match="_party is a virtual number of this account"):
            await world.create(world.scope, wish(first, second))

    async def test_does_not_tell_which_numbers_other_accounts_have(self):
        world = await Sessions().start()
        await world.number(await world.account("Other"), "+6531589999")
        assert await world.create(world.scope, wish("+6531589999"))

    async def test_without_a_free_number_says_what_is_lacking(self):
        world = await Sessions().start()
        await world.create(world.scope, wish())
        with pytest.raises(PoolExhausted) as caught:
            await world.create(world.scope, wish(second="+6590000003"))
        assert caught.value.sentence == "Number pool exhausted or not available"
        assert caught.value.detail.startswith("first party already holds the only number of SG; earliest free ")

    async def test_without_any_number_says_how_to_add_one(self):
        world = await Sessions().start()
        other = await world.account("Other")
        with pytest.raises(PoolExhausted) as caught:
            await world.create(Scope(other.id), wish())
        assert "maskline number add" in caught.value.detail


class TestGeomatch:
    @pytest.mark.row("2/geomatch", "6.2/geomatch")
    async def test_left_out_prefers_the_first_partys_country(self):
        world = await Sessions().start("+14155550100", "+6531580001")
        session = await world.create(world.scope, wish())
        assert session.virtual_number == Number("6531580001")
        assert session.options.geomatch is True

    async def test_left_out_stays_in_a_country_the_pool_has(self):
        world = await Sessions().start("+14155550100", "+6531580001")
        await world.create(world.scope, wish())
        with pytest.raises(PoolExhausted):
            await world.create(world.scope, wish(second="+6590000003"))

    async def test_left_out_takes_a_foreign_number_where_there_is_no_other(self):
        world = await Sessions().start("+14155550100")
        for second in ("+6590000002", "+6590000003"):
            if second.endswith("3"):
                await world.number(world.acme, "+14155550101")
            session = await world.create(world.scope, wish(second=second))
            assert session.virtual_number.country == "US"
            assert session.options.geomatch is False

    async def test_notices_at_once_when_a_number_of_the_country_is_added(self):
        world = await Sessions().start("+14155550100")
        assert (await world.create(world.scope, wish())).virtual_number.country == "US"
        await world.number(world.acme, "+6531580001")
        assert (await world.create(world.scope, wish(second="+6590000003"))).virtual_number.country == "SG"

    async def test_left_out_and_all_foreign_numbers_held_says_so(self):
        world = await Sessions().start("+14155550100")
        await world.create(world.scope, wish())
        with pytest.raises(PoolExhausted) as caught:
            await world.create(world.scope, wish(second="+6590000003"))
        assert caught.value.detail.startswith("first party already holds the only number; earliest free ")

    @pytest.mark.row("2/geomatch", "6.2/geomatch")
    async def test_asked_for_is_strict_and_says_what_is_lacking(self):
        world = await Sessions().start("+14155550100")
        with pytest.raises(PoolExhausted) as caught:
            await world.create(world.scope, wish(geomatch=True))
        assert "no virtual number of country SG" in caught.value.detail

    async def test_switched_off_takes_the_first_number(self):
        world = await Sessions().start("+14155550100", "+6531580001")
        session = await world.create(world.scope, wish(geomatch=False))
        assert session.virtual_number == Number("14155550100")

    async def test_of_a_party_without_country_matches_all(self):
        world = await Sessions().start()
        assert await world.create(world.scope, wish(first="9990001", geomatch=True))


class TestSubaccounts:
    async def start(self):
        world = await Sessions().start()
        world.rides = await world.subaccount(world.acme)
        return world

    @pytest.mark.row("2/subaccount", "6.2/subaccount", "1/no pool resource")
    async def test_draw_from_their_own_numbers_only(self):
        world = await self.start()
        with pytest.raises(PoolExhausted) as caught:
            await world.create(world.scope, wish(subaccount_id=world.rides.id))
        assert "there is no virtual number in this pool" in caught.value.detail
        await world.number(world.rides, "+6531580009")
        session = await world.create(world.scope, wish(subaccount_id=world.rides.id))
        assert session.virtual_number == Number("6531580009")
        assert (session.account_id, session.subaccount_id) == (world.acme.id, world.rides.id)

    async def test_may_name_themselves_but_no_other(self):
        world = await self.start()
        await world.number(world.rides, "+6531580009")
        food = await world.subaccount(world.acme, "Acme food")
        own = Scope.of(world.rides)
        assert await world.create(own, wish(subaccount_id=world.rides.id))
        with pytest.raises(InvalidParameter, match="not a subaccount of this account"):
            await world.create(own, wish(subaccount_id=food.id))

    @pytest.mark.row("2/subaccount")
    async def test_of_other_accounts_cannot_be_named(self):
        world = await self.start()
        foreign = await world.subaccount(await world.account("Other"))
        with pytest.raises(InvalidParameter, match="not a subaccount of this account"):
            await world.create(world.scope, wish(subaccount_id=foreign.id))

    async def test_see_and_touch_their_own_sessions_only(self):
        world = await self.start()
        await world.number(world.rides, "+6531580009")
        mine = await world.create(Scope.of(world.rides), wish())
        main = await world.create(world.scope, wish())
        own = Scope.of(world.rides)
        assert await get_session(world.store, own, mine.id) == mine
        assert await get_session(world.store, world.scope, mine.id) == mine
        for attempt in (
            get_session(world.store, own, main.id),
            world.update(own, main.id, {"record": True}),
            expire_session(world.store, world.clock, own, main.id),
        ):
            with pytest.raises(NotFound):
                await attempt

    async def test_list_their_own_sessions_only(self):
        world = await self.start()
        await world.number(world.rides, "+6531580009")
        mine = await world.create(Scope.of(world.rides), wish())
        await world.create(world.scope, wish())

        async def listed(scope, wanted):
            found, total = await list_sessions(world.store, world.clock, scope, wanted, limit=20, offset=0)
            assert len(found) == total
            return found

        assert await listed(Scope.of(world.rides), SessionFilter()) == [mine]
        assert await listed(Scope.of(world.rides), SessionFilter(subaccount_id="SA0")) == []
        assert await listed(world.scope, SessionFilter(subaccount_id=world.rides.id)) == [mine]
        assert len(await listed(world.scope, SessionFilter())) == 2


class TestUpdate:
    async def start(self):
        world = await Sessions().start()
        world.session = await world.create(world.scope, wish(options=SessionOptions(session_expiry=600)))
        world.clock.advance(100)
        return world

    async def update(self, world, **wanted):
        return await world.update(world.scope, world.session.id, wanted)

    @pytest.mark.row("3/clock restarts")
    async def test_of_session_expiry_restarts_the_clock(self):
        world = await self.start()
        session = await self.update(world, session_expiry=600)
        assert session.expires_at == world.clock.wall() + 600
        assert session.modified_at == world.clock.wall()
        assert session.planned_duration == 700

    async def test_of_anything_else_leaves_the_end_alone(self):
        world = await self.start()
        session = await self.update(world, record=True, callback_url="https://h.example/")
        assert session.expires_at == world.session.expires_at
        assert session.options == replace(world.session.options, record=True, callback_url="https://h.example/")
        fact = (await world.store.facts(session.id))[-1]
        assert isinstance(fact, SessionUpdated)
        assert set(fact.parameters) == {"record", "callback_url"}

    async def test_of_nothing_changes_nothing(self):
        world = await self.start()
        assert await self.update(world) == world.session
        # JAVA sends record in every update, whatever it is.
        assert await self.update(world, record=False, ring_timeout=120, callback_url="") == world.session
        assert len(await world.store.facts(world.session.id)) == 1

    async def test_tells_what_became_different_and_nothing_else(self):
        world = await self.start()
        await self.update(world, record=True, ring_timeout=120, session_expiry=600)
        assert set((await world.store.facts(world.session.id))[-1].parameters) == {"record", "session_expiry"}

    @pytest.mark.row("3/what may not change")
    async def test_accepts_fixed_attributes_with_the_value_they_have(self):
        world = await self.start()
        same = {
            "first_party": Number("6590000001"), "subaccount": None,
            "geomatch": True, "unknown_caller_play": "", "virtual_number_cooloff_period": 0,
        }  # fmt: skip
        assert await self.update(world, **same) == world.session

    @pytest.mark.row("3/what may not change", "3/parties")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("second_party", Number("6590000009")),
            ("geomatch", False),
            ("subaccount", "SA1"),
            ("unknown_caller_play", "x"),
        ],
    )
    async def test_refuses_to_change_a_fixed_attribute_and_then_changes_nothing(self, name, value):
        world = await self.start()
        with pytest.raises(InvalidParameter) as caught:
            await self.update(world, record=True, **{name: value})
        assert caught.value.sentence == f"Invalid parameter. {name} cannot be changed"
        assert await get_session(world.store, world.scope, world.session.id) == world.session

    @pytest.mark.row("3/expired session")
    async def test_of_an_expired_session_is_refused_to_the_second(self):
        world = await self.start()
        world.clock.advance(499.999)
        assert await self.update(world, record=True)
        world.clock.advance(0.001)
        with pytest.raises(SessionEnded, match="Session already expired"):
            await self.update(world, session_expiry=600)

    @pytest.mark.row("3/SessionParamUpdate")
    async def test_is_told_to_the_new_callback_url_and_only_where_something_changed(self):
        told = []

        def outbox(session, at, ids):
            told.append((session.options.callback_url, session.options.ring_timeout, at))
            return ()

        world = await self.start()
        world.update = UpdateSession(world.store, world.clock, world.ids, outbox)
        await self.update(world, callback_url="")
        assert told == []
        await self.update(world, callback_url="https://h.example/new", ring_timeout=30)
        assert told == [("https://h.example/new", 30, world.clock.wall())]

    @pytest.mark.row("3/SessionParamUpdate", "7.1/SessionParamUpdate")
    async def test_queues_the_event_with_the_change_and_wakes_the_deliverer_where_that_set_of_events_is_chosen(self):
        for generation, told in ((Generation.ALL, ["SessionParamUpdate"]), (Generation.FIRST, [])):
            world = await self.start()
            outbox = partial(param_update_outbox, style=Style(generation))
            woken = []
            committed = partial(woken.append, "SessionParamUpdate")
            world.update = UpdateSession(world.store, world.clock, world.ids, outbox, committed)
            await self.update(world, callback_url="https://h.example/new")
            rows = await world.store.outbox(None)
            assert [row.event for row in rows] == told
            assert woken == told
            assert all((row.subject, row.url) == (world.session.id, "https://h.example/new") for row in rows)


class TestPartiesInAnUpdate:
    """Only sessions that were made with a single party let them change."""

    async def start(self, second=None):
        world = await Sessions().start()
        options = SessionOptions(create_session_with_single_party=True)
        other = None if second is None else parse_number(second)
        world.session = await world.create(world.scope, SessionWish(parse_number(FIRST), other, options))
        return world

    async def change(self, world, **wanted):
        return await world.update(world.scope, world.session.id, {k: parse_number(v) for k, v in wanted.items()})

    @pytest.mark.row("3/parties", "6.3/missing party added")
    async def test_the_missing_one_is_filled_in(self):
        world = await self.start()
        session = await self.change(world, second_party=SECOND)
        assert session.second_party == Number("6590000002")
        assert session.missing is None
        assert (await world.store.session_for_call(session.second_party, session.virtual_number)).id == session.id

    @pytest.mark.row("3/parties")
    async def test_one_that_is_there_may_change_too(self):
        world = await self.start(SECOND)
        session = await self.change(world, first_party="+6590000055", second_party=SECOND)
        assert session.first_party == Number("6590000055")
        assert (await world.store.facts(session.id))[-1].parameters == ("first_party",)

    async def test_both_may_not_become_one(self):
        world = await self.start()
        with pytest.raises(InvalidParameter) as caught:
            await self.change(world, second_party=FIRST)
        assert caught.value.sentence == "Invalid parameter. second_party must differ from first_party"

    async def test_an_own_virtual_number_is_none(self):
        world = await self.start()
        with pytest.raises(InvalidParameter, match="second_party is a virtual number of this account"):
            await self.change(world, second_party=NUMBER)

    async def test_a_short_code_is_none(self):
        world = await self.start()
        with pytest.raises(InvalidParameter, match="second_party is not a valid phone number"):
            await self.change(world, second_party="112")

    async def test_one_who_holds_the_number_in_another_session_is_refused(self):
        world = await Sessions().start(NUMBER, "+6531580002")
        options = SessionOptions(create_session_with_single_party=True)
        both = SessionWish(parse_number(FIRST), parse_number(SECOND), options)
        world.session = await world.create(world.scope, both)
        another = await world.create(world.scope, wish("+6590000055", "+6590000056"))
        assert another.virtual_number == world.session.virtual_number
        with pytest.raises(InvalidParameter, match="second_party"):
            await self.change(world, second_party="+6590000055")


class TestPinsInAnUpdate:
    @pytest.mark.row("3/what may not change")
    async def test_are_accepted_as_they_are_and_refused_otherwise_without_being_repeated(self):
        world = await Sessions().start()
        options = SessionOptions(is_pin_authentication_required=True, pin_prompt_play="https://h.example/p.mp3")
        session = await world.create(
            world.scope, wish(options=options, first_party_pin="1234", second_party_pin="5678")
        )  # fmt: skip
        same = {"first_party_pin": "1234", "is_pin_authentication_required": True, "pin_retry": 1}
        assert await world.update(world.scope, session.id, same) == session
        with pytest.raises(InvalidParameter) as caught:
            await world.update(world.scope, session.id, {"second_party_pin": "9999"})
        assert caught.value.sentence == "Invalid parameter. second_party_pin cannot be changed"


class TestExpire:
    @pytest.mark.row("4/manual expiry")
    async def test_by_request_ends_it_now_and_keeps_the_planned_duration(self):
        world = await Sessions().start()
        session = await world.create(world.scope, wish())
        world.clock.advance(10)
        ended = await expire_session(world.store, world.clock, world.scope, session.id)
        assert ended.expires_at == ended.ended_at == world.clock.wall()
        assert ended.planned_duration == 3600
        assert ended.status(world.clock.wall()) is SessionStatus.EXPIRED
        assert (await world.store.facts(session.id))[-1].by_request is True
        assert await world.store.outbox(None) == []

    @pytest.mark.row("4/expire keeps the row")
    async def test_twice_is_refused(self):
        world = await Sessions().start()
        session = await world.create(world.scope, wish())
        await expire_session(world.store, world.clock, world.scope, session.id)
        with pytest.raises(SessionEnded, match="Session already expired"):
            await expire_session(world.store, world.clock, world.scope, session.id)

    async def test_after_its_time_is_refused_even_before_the_sweeper_came(self):
        world = await Sessions().start()
        session = await world.create(world.scope, wish())
        world.clock.advance(3600)
        with pytest.raises(SessionEnded):
            await expire_session(world.store, world.clock, world.scope, session.id)

    async def test_frees_the_number_for_its_parties(self):
        world = await Sessions().start()
        session = await world.create(world.scope, wish())
        await expire_session(world.store, world.clock, world.scope, session.id)
        assert (await world.create(world.scope, wish())).virtual_number == session.virtual_number


class TestTheSweeper:
    async def start(self, count, batch=200):
        numbers = [f"+65315800{n:02}" for n in range(count)]
        world = await Sessions().start(*numbers)
        world.sessions = []
        for n in range(count):
            options = SessionOptions(session_expiry=60 + n, callback_url="https://h.example/")
            world.sessions.append(await world.create(world.scope, wish(second=f"+659001{n:04}", options=options)))
        world.sweep = ExpireSessions(world.store, world.clock, world.ids, batch=batch)
        return world

    @pytest.mark.row("7.1/SessionTimeout")
    async def test_ends_what_is_due_to_the_second_and_reports_it_once(self):
        world = await self.start(3)
        world.clock.advance(59.999)
        assert await world.sweep() == 0
        world.clock.advance(0.001)
        assert await world.sweep() == 1
        assert await world.sweep() == 0
        (row,) = await world.store.outbox(None)
        due = world.sessions[0]
        assert (row.event, row.subject, row.created_at) == ("SessionTimeout", due.id, due.expires_at)
        fact = (await world.store.facts(due.id))[-1]
        assert isinstance(fact, SessionExpired)
        assert fact.by_request is False

    async def test_tells_the_planned_end_however_late_it_comes(self):
        world = await self.start(1)
        world.clock.advance(500)
        assert await world.sweep() == 1
        (row,) = await world.store.outbox(None)
        assert row.created_at == world.sessions[0].expires_at

    async def test_works_in_batches(self):
        world = await self.start(5, batch=2)
        world.clock.advance(600)
        assert [await world.sweep() for _ in range(4)] == [2, 2, 1, 0]
        assert len(await world.store.outbox(None)) == 5

    async def test_leaves_alone_what_was_ended_in_between(self, monkeypatch):
        world = await self.start(2)
        first = world.sessions[0]
        due = [await world.store.session(world.acme.id, session.id) for session in world.sessions]
        await expire_session(world.store, world.clock, world.scope, first.id)
        world.clock.advance(600)

        async def stale(wall, limit):
            return due

        monkeypatch.setattr(world.store, "sessions_due", stale)
        assert await world.sweep() == 1
        assert [row.subject for row in await world.store.outbox(None)] == [world.sessions[1].id]

    async def test_ends_the_others_when_one_fails_and_then_says_so(self, monkeypatch):
        world = await self.start(3)
        world.clock.advance(600)
        end = world.store.end_session

        async def fails_for_the_first(account_id, session_id, **more):
            if session_id == world.sessions[0].id:
                raise StoreUnavailable
            return await end(account_id, session_id, **more)

        monkeypatch.setattr(world.store, "end_session", fails_for_the_first)
        with pytest.raises(StoreUnavailable):
            await world.sweep()
        assert len(await world.store.outbox(None)) == 2
        monkeypatch.undo()
        assert await world.sweep() == 1
