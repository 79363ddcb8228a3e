"""Two engines behind Debian's Kamailio as deploy/kamailio configures it, with rtpengine and PostgreSQL.

Calls are spread; what belongs to a call finds its engine, also while that drains, and another one when it has left or
was killed; what it was setting up ends; TCP and TLS; strangers hear nothing; nobody outside sees an engine's address.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from maskline.lab.phone import Phone
from tests.support.fleet import ENGINES, INSIDE, OUTSIDE
from tests.support.fleet_field import (
    SMALL,
    VIRTUAL,
    Couple,
    Field,
    Scanner,
    assert_unseen,
    causes,
    engine_of,
    hold,
    opened_field,
    over,
)
from tests.support.platform_commands import ask_of_the_stopped
from tests.support.platform_store import services_of
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wire, pytest.mark.alone, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    async with opened_field(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def field(opened: Field) -> AsyncIterator[Field]:
    """With both engines and the records of a test that failed, and a look at what the phones have seen."""
    await opened.whole()
    await opened.records()
    before = len(opened.phones)
    yield opened
    for phone in opened.phones[before:]:
        assert_unseen(phone, (INSIDE, *ENGINES, "X-Maskline"))


async def test_calls_go_to_engines_in_turns_and_what_belongs_to_them_to_the_one_that_has_them(field: Field) -> None:
    scanner = Scanner(field.fleet.proxy.outside, field.carrier.address)
    calls = await field.talk(6)
    assert sorted(map(len, calls.values())) == [3, 3]
    for name, couples in calls.items():
        (first, _), (_, second), (third, _) = couples
        await hold(third)
        first.hang_up()
        second.hang_up()
        await over(*couples[0], *couples[1])
        third.hang_up()
        await over(*couples[2])
        await until(partial(field.is_idle, name), what="the end of its calls")
        figures = field.metrics(name)
        assert not any(value for key, value in figures.items() if "refused" in key and "sip" in key), figures
    assert causes(await field.records()) == {"normal": 6}
    assert scanner.heard() == b""


async def test_calls_over_tcp_and_tls_go_through_the_proxy_both_ways(field: Field) -> None:
    """The one over TLS is known by the name in its certificate, which the proxy has checked."""
    over_tcp = await field.own_phone("127.0.0.67", "tcp")
    over_tls = await field.own_phone("127.0.0.68", "tls", "two.example")
    proxy = field.fleet.proxy
    await field.records()  # what a first try of the test has left
    await field.pair(over_tcp, over_tls)
    for caller, callee, port in (
        (over_tcp, over_tls, proxy.outside[1]), (over_tls, over_tcp, proxy.tls_port),
    ):  # fmt: skip
        field.dial(caller, VIRTUAL, (OUTSIDE, port))
        await field.comes_to_that(caller, callee, caller.answered, callee.answered)
        await hold(callee)
        callee.hang_up()
        await over(caller, callee)
        assert b"transport=tls" in seen(over_tls) and b"SIP/2.0/TLS" in seen(over_tls)
        assert b"SIP/2.0/TCP" in seen(over_tcp)
        for phone in (caller, callee):
            await phone.reset(phone.behaviour)
        # The other engine says busy until this one's record is in the database, some hundredths of a second.
        assert causes(await field.records()) == {"normal": 1}


def seen(phone: Phone) -> bytes:
    return b"".join(item.data for item in phone.trace if not item.sent)


async def test_an_engine_that_drains_gets_no_new_calls_and_leaves_what_is_left_to_the_other(field: Field) -> None:
    """Also what those use of their account's limits, where the other one never had a call of that account."""
    proxy, (leaving, staying) = field.fleet.proxy, field.fleet.engines
    await field.account(SMALL, "--concurrent", "1")
    await field.turn_to(leaving)
    ((caller, callee),) = (await field.talk(1, SMALL))[leaving]
    talking = await field.talk(3)
    before = field.recovered(staying)
    engine = field.fleet.engines[leaving]
    ended = asyncio.create_task(asyncio.to_thread(engine.stop, 60.0))
    await until(lambda: proxy.takes_calls_by() == [staying], what="the proxy's look at the engine that drains")
    assert "503" in proxy.ask("htable.dump", "answers")
    calls = await field.talk(2)
    assert (len(calls[leaving]), len(calls[staying])) == (0, 2)
    await hold(talking[leaving][0][0])
    await field.end(*talking[leaving], *calls[staying])
    os.kill(engine.pid, signal.SIGTERM)  # whoever asks twice waits for nobody
    assert await ended == 0
    await until(lambda: field.recovered(staying) == before + 1, what="the call that was left")
    assert not caller.ended.is_set() and not callee.ended.is_set()
    heard = len(callee.ear.arrivals)
    await until(lambda: len(callee.ear.arrivals) > heard, what="audio after the hand-over")
    await hold(caller)
    await field.fleet.bury(leaving, 0.0)
    await refused(field)
    callee.hang_up()
    await over(caller, callee)
    await field.end(*talking[staying], *(await field.talk(1, SMALL))[staying])
    records = await field.records()
    assert causes(records)["account_full"] == 1
    assert sum(record["recovered"] for record in records) == 1


async def refused(field: Field) -> None:
    caller, _ = await field.pair(await field.phone(), await field.phone(), SMALL)
    field.dial(caller, SMALL, field.carrier.address)
    await over(caller)


async def test_the_engine_that_has_a_call_ends_it_by_request(field: Field) -> None:
    """The command is given once, beside both, and the other calls go on."""
    talking = await field.talk(4)
    for name, couples in talking.items():
        (call, _) = await calls_of(field, name)
        assert (await field.cli("call", "end", call))["status"] == "ending"
        await until(partial(gone, couples), what="the end of a call")
        ((caller, callee),) = gone(couples)
        await over(caller, callee)
        assert b"BYE " in seen(caller) and b"BYE " in seen(callee)
        await field.end(*[couple for couple in couples if couple not in gone(couples)])
    assert causes(await field.records()) == {"ended_by_request": 2, "normal": 2}


def gone(couples: list[Couple]) -> list[Couple]:
    return [couple for couple in couples if any(phone.ended.is_set() for phone in couple)]


async def calls_of(field: Field, name: str) -> list[str]:
    """Ids of the calls that an engine has."""
    async with services_of(field.fleet.engines[name]) as services:
        return [one.call_id for one in await services.store.live_calls(name)]


async def test_a_wish_that_an_engine_did_not_live_to_carry_out_is_carried_out_by_its_heir(field: Field) -> None:
    dead, living = field.fleet.engines
    await field.turn_to(dead)
    ((caller, callee),) = (await field.talk(1))[dead]
    (call,) = await calls_of(field, dead)
    before = field.recovered(living)
    await ask_of_the_stopped(field.fleet.engines[dead], call)
    await asyncio.to_thread(field.fleet.kill, dead)
    assert not caller.ended.is_set() and not callee.ended.is_set()
    await field.fleet.bury(dead, 0.0)
    await over(caller, callee)
    assert b"BYE " in seen(caller) and b"BYE " in seen(callee)
    assert field.recovered(living) == before + 1
    (record,) = [one for one in await field.records() if one["call_id"] == call]
    assert (record["outcome"], record["cause"], record["recovered"]) == ("completed", "ended_by_request", True)


async def test_an_engine_that_is_killed_loses_no_call_whose_parties_talk(field: Field) -> None:
    """Those go on: nobody is hung up, who hangs up is heard, and new calls go to the other one at once. What it was
    setting up ends on both sides, also where the caller has given up, and nothing of the other engine's does."""
    dead, living = field.fleet.engines
    before = field.recovered(living)
    talking = await field.talk(4)
    ringing: dict[str, list[Couple]] = {name: [] for name in field.fleet.engines}
    for couple in await field.dialled(4, answer=False):
        ringing[engine_of(couple[0])].append(couple)
    await asyncio.sleep(0.5)  # the phones have their answers before the engines write down that they have
    await until(lambda: not field.metrics(dead)["maskline_recorder_queue"], what="the rows of its calls")
    await asyncio.to_thread(field.fleet.kill, dead)
    (impatient, _), (caller, callee) = talking[dead]
    impatient.hang_up()
    (gives_up, _), (waits, _) = ringing[dead]
    gives_up.cancel()
    calls = await field.talk(2)
    assert len(calls[living]) == 2
    await field.end(*calls[living], *talking[living])
    for couple in ringing[dead]:
        await over(*couple)
    assert waits.final_status == 503
    await field.fleet.bury(dead, 1.0)
    await until(lambda: field.recovered(living) == before + 2, what="both calls of it")
    await over(*talking[dead][0])
    for couple in ringing[living]:
        assert not any(phone.ended.is_set() for phone in couple)
        couple[0].cancel()
        await over(*couple)
    assert not caller.ended.is_set() and not callee.ended.is_set()
    heard = len(callee.ear.arrivals)
    await until(lambda: len(callee.ear.arrivals) > heard, what="audio after the take-over")
    await hold(callee)
    callee.hang_up()
    await over(caller, callee)
    records = await field.records()
    told = causes(records)
    # Of the impatient one whatever comes first: its BYE, which Kamailio tries again every few seconds, or its 481 to
    # the heir, which asks soon whether the two are still there.
    assert told["normal"] in (5, 6) and told["normal"] + told["session_not_renewed"] == 6
    assert (told["engine_restarted"], told["canceled"], len(records)) == (2, 2, 10)
    assert sum(record["recovered"] for record in records if record["cause"] != "engine_restarted") == 2
