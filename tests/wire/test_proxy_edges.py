"""deploy/kamailio at its edges: who hangs up before an answer, who answers an engine that is gone, no engine at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from maskline.lab.phone import Phone
from tests.support.fleet import ENGINES, INSIDE
from tests.support.fleet_field import VIRTUAL, Couple, Field, assert_unseen, causes, engine_of, opened_field, over
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wire, pytest.mark.alone, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip
OF_A_REFUSAL = {"via", "from", "to", "call-id", "cseq", "retry-after", "server", "content-length"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    async with opened_field(tmp_path_factory.mktemp("edges")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def field(opened: Field) -> AsyncIterator[Field]:
    """With both engines and the records of a test that failed; nobody outside sees an inside address, or the other
    party's number."""
    await opened.whole()
    await opened.records()
    before = len(opened.phones)
    yield opened
    phones = opened.phones[before:]
    for phone in phones:
        others = [one.number.digits for one in phones if one is not phone]
        assert_unseen(phone, (INSIDE, *ENGINES, "X-Maskline", *others))


async def ringing(field: Field, engine: str) -> Couple:
    """A call that rings, set up by this engine; any other one is given up."""
    while True:
        (couple,) = await field.dialled(1, answer=False)
        if engine_of(couple[0]) == engine:
            return couple
        couple[0].cancel()
        await over(*couple)


async def written(field: Field, engine: str) -> None:
    """The rows of its calls are."""
    await asyncio.sleep(0.5)  # the phones have their answers before the engine writes down that they have
    await until(lambda: not field.metrics(engine)["maskline_recorder_queue"], what="the rows of its calls")


def hang_up_early(phone: Phone) -> None:
    """BYE in the early dialog, as RFC 3261 §15 lets a caller do; phones of ours give up by CANCEL."""
    assert phone._usage is not None and phone._usage.dialog is not None
    phone._agent._client._requests.in_dialog("BYE", phone._usage.dialog, None, phone._now())
    phone._flush()


def requests(phone: Phone) -> list[str]:
    """Methods of those that came to it."""
    return [item.first_line.split()[0] for item in phone.trace if not item.sent]


def finals(phone: Phone, method: str) -> list[int]:
    """Statuses of the final responses to its requests of this method."""
    found = []
    for item in phone.trace:
        status = re.match(rb"SIP/2\.0 ([2-6][0-9][0-9]) ", item.data)
        if not item.sent and status and re.search(rb"\r\nCSeq: \d+ %b\r\n" % method.encode(), item.data):
            found.append(int(status[1]))
    return found


def refusal(phone: Phone, method: str) -> str:
    """The last response to its requests of this method, with nothing in it but what its own request had."""
    data = [
        item.data for item in phone.trace
        if not item.sent and item.data.startswith(b"SIP/2.0 ") and b" %b\r\n" % method.encode() in item.data
    ][-1].decode()  # fmt: skip
    line, *headers = data.split("\r\n\r\n")[0].split("\r\n")
    names = {header.partition(":")[0].lower() for header in headers}
    assert names <= OF_A_REFUSAL and data.endswith("\r\n\r\n"), data
    (after,) = [header for header in headers if header.startswith("Retry-After: ")]
    return f"{line} / {after}"


async def test_a_caller_that_hangs_up_by_bye_before_the_answer_is_answered_and_the_callee_rings_no_more(
    field: Field,
) -> None:
    for engine in field.fleet.engines:
        caller, callee = await ringing(field, engine)
        hang_up_early(caller)
        await over(caller, callee)
        await until(lambda: finals(caller, "BYE") != [], what="the answer to BYE")  # noqa: B023  used in its turn
        assert (caller.final_status, finals(caller, "BYE")) == (487, [200])
        assert any(item.first_line.startswith("CANCEL ") for item in callee.trace)
    assert set(causes(await field.records())) == {"canceled"}


async def test_what_rings_and_what_is_answered_when_its_engine_is_gone_ends_on_both_sides(field: Field) -> None:
    """Who hangs up by BYE meanwhile, and who answers before anybody has noticed: nobody acknowledges that, so another
    engine does, when it has the call, and hangs up."""
    dead, living = field.fleet.engines
    early, answered = await ringing(field, dead), await ringing(field, dead)
    await written(field, dead)
    await asyncio.to_thread(field.fleet.kill, dead)
    caller, callee = answered
    assert callee._usage is not None and callee._usage.request is not None
    callee._answer(callee._usage, callee._usage.request.body)
    callee._flush()
    hang_up_early(early[0])
    await over(*early, caller)
    assert (early[0].final_status, caller.final_status) == (503, 503)
    assert not callee.ended.is_set(), "it repeats its answer"
    await field.fleet.bury(dead, 0.0)
    await over(callee, within=25.0)
    # Sent one after the other, the two may overtake each other in the processes of the proxy.
    await until(lambda: "ACK" in requests(callee), what="its answer's ACK")
    assert sorted(set(requests(callee)) - {"CANCEL"}) == ["ACK", "BYE", "INVITE"]
    assert causes(await field.records())["engine_restarted"] == 2
    assert field.is_idle(living)


async def test_without_any_engine_callers_hear_when_to_try_again(field: Field) -> None:
    """503 to a new call, soon after the engines are gone and later; who hangs up is told that nobody has its call yet.
    Nothing is said that the caller has not said itself."""
    (couples,) = [couples for couples in (await field.talk(1)).values() if couples]
    talker, other = couples[0]
    first, second = [await field.pair(await field.phone(), await field.phone()) for _ in range(2)]
    await written(field, engine_of(talker))
    for engine in field.fleet.engines:
        await asyncio.to_thread(field.fleet.kill, engine)
    talker.hang_up()
    field.dial(first[0], VIRTUAL, field.carrier.address)
    await over(first[0], within=20.0)
    await until(lambda: field.fleet.proxy.takes_calls_by() == [], what="the proxy's look at the engines")
    field.dial(second[0], VIRTUAL, field.carrier.address)
    await over(second[0], within=20.0)
    for caller, callee in (first, second):
        assert refusal(caller, "INVITE") == "SIP/2.0 503 Service Unavailable / Retry-After: 5"
        assert not callee.trace
    await until(lambda: finals(talker, "BYE") != [], within=40.0, what="the answer to BYE")
    assert refusal(talker, "BYE") == "SIP/2.0 500 Nobody Has This Call Yet / Retry-After: 5"
    assert not other.ended.is_set()
    await field.whole()
    other.hang_up()
    await over(other)
