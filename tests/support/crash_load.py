"""What customers do while parts die: requests with idempotency keys, sent again until they are acknowledged, and calls.

What it is: writers and couples, and what each was acknowledged. What it is not: a judge (`crash_judge.py`). Who uses
it: `crash_run.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from maskline.lab.phone import Behaviour, Phone
from maskline.masking.e164 import parse_number
from tests.support.crash_ends import CARRIED_OUT, Ends
from tests.support.crash_exports import Exports
from tests.support.crash_field import HOST, Customer, Field
from tests.support.crash_inbox import CrashInbox
from tests.support.crash_plan import COUPLES, PATIENT, PEOPLE, TALKS, Plan, Talk

RECORDED_CALLS = 2
"""Each costs a second of CPU to be made into a file."""
PATIENCE = 60.0
"""Seconds for which a request is sent again."""
AGAIN = 0.1
"""Seconds until then."""
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_QUIET = 4.0
"""Seconds in which a living engine says something: nearly the longest pause between two INVITEs."""
_HANGS_UP = 32.0
"""Seconds for which SIP repeats a BYE (RFC 3261 §17.1.2.2)."""
_ANSWERED = "SELECT name, earlier FROM facts WHERE subject IN (SELECT call_id FROM live_calls WHERE session_id = $1)"
_UNSAID = 0.8
"""Share of the audio that is not sent: enough is heard to know that somebody talks, and the CPU is others'."""
_LIMIT = 900
"""Seconds that a call of a new session may last; updates say more."""
_GIVES_UP = 12.0
"""Seconds after which a caller who hears nothing gives up: as long as an engine may be away."""
_THINKS = 0.08
"""Seconds at most between two requests of a writer: something shall be on its way when a part dies, and the machine
shall have time for the calls."""


class Unanswered(Exception):
    """A request was never acknowledged."""


@dataclass
class Acknowledged:
    """What a customer was told of one session."""

    id: str
    first: str
    second: str
    number: str
    limit: int
    """`call_time_limit`."""
    updates: int = 0
    over: bool = False


@dataclass
class Ledger:
    """What was acknowledged in a run."""

    sessions: dict[str, Acknowledged] = field(default_factory=dict)
    refused: int = 0
    """Creates for which there was no number."""
    walked_away: int = 0
    """Creates whose answer nobody waited for."""
    talks: list[str] = field(default_factory=list)
    """Sessions whose call was there before anything died, and was ended by a party after all of it."""
    requested: list[str] = field(default_factory=list)
    """Sessions that asked for a call."""
    repeats: int = 0
    """Requests that were sent again."""
    calls: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    """Answers that no customer should get."""


class Client:
    """The API, as a customer uses it."""

    def __init__(self, url: str, customer: Customer, ledger: Ledger) -> None:
        self._base = f"{url}/v1/Account/{customer.account_id}/Masking/Session/"
        auth = aiohttp.encode_basic_auth(customer.account_id, customer.token)
        self._http = aiohttp.ClientSession(headers={"Authorization": auth}, timeout=_TIMEOUT)
        self._ledger = ledger

    async def close(self) -> None:
        await self._http.close()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> tuple[int, Any]:
        """Send it until there is an answer that is neither an outage nor a request for patience."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while loop.time() < until:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                status, answer = await self.once(method, path, body, key)
                if status < 500:
                    return status, answer
            self._ledger.repeats += 1
            await asyncio.sleep(AGAIN)
        raise Unanswered(f"{method} {path or 'of a session'} was not acknowledged for {PATIENCE:.0f} s")

    async def once(self, method: str, path: str, body: dict[str, Any] | None, key: str) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        async with self._http.request(method, self._base + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


class Load:
    """`run()` until `stop()`; then everything begun is brought to its acknowledgement or its hang-up."""

    def __init__(self, field: Field, plan: Plan, customer: Customer, inbox: CrashInbox) -> None:
        self.ledger = Ledger()
        self._field = field
        self._plan = plan
        self._inbox = inbox
        self._client = Client(field.platform.url, customer, self.ledger)
        self.exports = Exports(field, customer)
        self.ends = Ends(field, customer)
        self.somebody_talks = asyncio.Event()
        """Set with each call that is answered."""
        self._stopping = False
        self._phones: list[Phone] = []
        self._talks: list[tuple[Phone, Phone]] = []
        """Couples that talk until they are told to hang up."""
        self._thinks = _THINKS * (5 if field.kind == "fleet" else 1)

    def stop(self) -> None:
        self._stopping = True

    async def run(self) -> None:
        try:
            await self._run()
        except* Unanswered as group:
            self.ledger.wrong += [str(error) for error in group.exceptions]

    async def _run(self) -> None:
        asking = asyncio.create_task(self.exports.run())
        try:
            async with asyncio.TaskGroup() as group:
                for writer in range(self._plan.writers):
                    group.create_task(self._write(writer))
                for couple in range(COUPLES):
                    group.create_task(self._couple(couple))
                group.create_task(self._patient_couple())
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def hang_up(self) -> None:
        """Everything is up again: nobody talks or calls any more when this returns. A caller to whom nothing ever came
        would go on sending its INVITE; whoever has an answer is told of the end by who is alive."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + 2 * _QUIET:
            open_ones = [phone for phone in self._phones if not phone.ended.is_set()]
            unheard = [phone for phone in open_ones if phone.trace and all(item.sent for item in phone.trace)]
            if loop.time() > began + _QUIET:
                for phone in unheard:
                    phone.close()
                unheard = []
            if not unheard and not any(phone.answered.is_set() for phone in open_ones):
                return
            for phone in open_ones:
                _leave(phone)
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._client.close()
        await self.ends.close()
        for phone in self._phones:
            self._field.carrier.lines.pop(phone.number.digits, None)
            phone.close()

    # -- writers -------------------------------------------------------------------------------------------------------
    async def _write(self, writer: int) -> None:
        own = self._plan.random(f"writer {writer}")
        mine: list[Acknowledged] = []
        people = self._plan.people[:PEOPLE]
        for step, what in enumerate(self._plan.steps(writer)):
            if self._stopping:
                return
            await asyncio.sleep(own.uniform(0.0, self._thinks))
            key = f"{self._plan.seed}-{writer}-{step}"
            if what == "update" and mine:
                await self._update(own.choice(mine), 1_000 + step, key)
            elif what == "expire" and len(mine) > 2:
                await self._expire(mine.pop(own.randrange(len(mine))))
            else:
                found = await self._create(own.sample(people, 2), what, key)
                if found is not None:
                    mine.append(found)

    async def _create(self, parties: list[str], how: str, key: str, **options: Any) -> Acknowledged | None:
        body = {
            "first_party": parties[0], "second_party": parties[1], "callback_url": self._inbox.url("plivo"),
            "call_time_limit": _LIMIT, "ring_timeout": 10, **options,
        }  # fmt: skip
        if how == "walk away":
            self.ledger.walked_away += 1
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, ConnectionError):
                async with asyncio.timeout(0.004):
                    await self._client.once("POST", "", body, key)
            return None
        answers = await asyncio.gather(*[self._client.ask("POST", "", body, key) for _ in range(1 + (how == "twice"))])
        status, answer = answers[0]
        if status != 201:
            self._note_refusal("create", status, answer)
            return None
        ids = {one[1]["session"]["session_uuid"] for one in answers if one[0] == 201}
        if len(ids) != 1 or len(answers) != sum(one[0] == 201 for one in answers):
            self.ledger.wrong.append(f"one key made sessions {sorted(ids)}")
        session = answer["session"]
        found = Acknowledged(session["session_uuid"], parties[0], parties[1], session["virtual_number"], _LIMIT)
        if found.id in self.ledger.sessions:
            self.ledger.wrong.append(f"two keys made one session {found.id}")
        self.ledger.sessions[found.id] = found
        return found

    async def _update(self, session: Acknowledged, limit: int, key: str) -> None:
        status, answer = await self._client.ask("POST", f"{session.id}/", {"call_time_limit": limit}, key)
        if status not in (200, 202):
            self._note_refusal("update", status, answer)
            return
        session.limit = limit
        session.updates += 1

    async def _expire(self, session: Acknowledged) -> None:
        status, answer = await self._client.ask("DELETE", f"{session.id}/")
        session.over = True
        # Sent again after it was carried out: it is over already.
        if status not in (200, 204, 404, 409, 422, 400):
            self._note_refusal("expire", status, answer)

    def _note_refusal(self, what: str, status: int, answer: Any) -> None:
        text = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if what == "create" and "number" in text.lower() and status in (400, 403, 409, 422, 424):
            self.ledger.refused += 1
        else:
            self.ledger.wrong.append(f"{what} was answered {status} {text}")

    # -- calls ---------------------------------------------------------------------------------------------------------
    async def _couple(self, couple: int) -> None:
        names = self._plan.people[PEOPLE + 2 * couple :][:2]
        phones = [await self._phone(number) for number in names]
        if couple == 1 and self._plan.requested:
            await self._requested(couple, phones)
            return
        options = {"record": True} if couple == 2 and self._plan.recorded else {}
        session = await self._create(names, "create", f"{self._plan.seed}-couple-{couple}", **options)
        if session is None:
            self.ledger.wrong.append("a couple got no number")
            return
        virtual = parse_number(session.number)
        for talk in itertools.islice(self._plan.talks(couple), RECORDED_CALLS if options else None):
            if self._stopping:
                return
            for place, phone in enumerate(phones):
                if phone.answered.is_set() or phone.ringing.is_set() or phone.final_status:
                    phones[place] = await self._again(phone)
            await self._call(phones[0], phones[1], virtual, talk)
            await asyncio.sleep(talk.pause)

    async def _patient_couple(self) -> None:
        """Both talk until somebody else's wish is carried out."""
        own = self._plan.random("wishes")
        names = self._plan.people[PEOPLE + 2 * PATIENT :][:2]
        session = await self._create(names, "create", f"{self._plan.seed}-patient")
        assert session is not None, "numbers are enough for them"
        caller, callee = [await self._phone(number) for number in names]
        while not self._stopping:
            caller, callee = await self._again(caller), await self._again(callee)
            callee.ring_for = 0.05
            self.ledger.calls += 1
            caller.dial(parse_number(session.number), self._field.carrier.address)
            await _either(caller.answered, caller.ended, _GIVES_UP)
            call = await self.ends.find(session.id, caller.ended) if caller.answered.is_set() else ""
            if call:
                self.ledger.answered += 1
                await asyncio.sleep(own.uniform(0.0, 0.5))
                if await self.ends.ask(call):
                    await self._told(caller, callee)
            for phone in (caller, callee):
                _leave(phone)
            await _either(caller.ended, caller.ended, 2.0)
            await asyncio.sleep(AGAIN)

    async def _told(self, *phones: Phone) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CARRIED_OUT):
                for phone in phones:
                    await phone.ended.wait()
        if not all(phone.ended.is_set() for phone in phones):
            self.ledger.wrong.append(f"the wish for the end of a call was not carried out for {CARRIED_OUT:.0f} s")

    async def keep_talking(self) -> None:
        """Couples who talk now, and go on when parts die; whose calls are written down."""
        sessions: list[str] = []
        for couple in range(COUPLES, COUPLES + TALKS):
            names = self._plan.people[PEOPLE + 2 * couple :][:2]
            session = await self._create(names, "create", f"{self._plan.seed}-talk-{couple}")
            assert session is not None, "numbers are enough for them"
            caller, callee = [await self._phone(number) for number in names]
            while not caller.answered.is_set():
                caller, callee = await self._again(caller), await self._again(callee)
                callee.ring_for = 0.05
                caller.dial(parse_number(session.number), self._field.carrier.address)
                self.ledger.calls += 1
                await _either(caller.answered, caller.ended, _GIVES_UP)
                if not caller.answered.is_set():  # or its session would be busy with this one for ever
                    _leave(caller)
                    await _either(caller.ended, caller.ended, _GIVES_UP)
                    await asyncio.sleep(AGAIN)
            self.ledger.answered += 1
            self._talks.append((caller, callee))
            sessions.append(session.id)
        for session_id in sessions:
            await self._written(session_id)
        if self._plan.keeps_audio:
            self.ledger.talks = sessions

    async def _written(self, session_id: str) -> None:
        """The database knows that both parties of its call talk."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while loop.time() < until:
            rows = await self._field.rows(_ANSWERED, session_id)
            if " ".join(f"{name} {earlier}" for name, earlier in rows).count("LegAnswered") == 2:
                return
            await asyncio.sleep(AGAIN)
        self.ledger.wrong.append(f"the answers of a call were not written for {PATIENCE:.0f} s")

    async def end_talks(self) -> None:
        """By one party, at once after all that happened: both are told of it."""
        for couple, (caller, callee) in enumerate(self._talks):
            for phone in (caller, callee):
                if phone.ended.is_set() and self._plan.keeps_audio:
                    self.ledger.wrong.append("a phone was hung up on while it talked")
            (callee if couple % 2 else caller).hang_up()
        for talkers in self._talks:
            for phone in talkers:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(phone.ended.wait(), _HANGS_UP)
                if not phone.ended.is_set():
                    self.ledger.wrong.append(f"a phone was not told within {_HANGS_UP:.0f} s that its call is over")

    async def _requested(self, couple: int, phones: list[Phone]) -> None:
        """A session for each call, in which the platform calls the first party and then the other."""
        for step, talk in enumerate(self._plan.talks(couple)):
            if self._stopping:
                return
            for place, phone in enumerate(phones):
                phones[place] = await self._again(phone)
            names = [phone.number.e164 for phone in phones]
            key = f"{self._plan.seed}-requested-{step}"
            session = await self._create(names, "create", key, initiate_call_to_first_party=True)
            if session is None:
                self.ledger.wrong.append("a couple got no number")
                return
            self.ledger.requested.append(session.id)
            self.ledger.calls += 1
            await _either(phones[1].answered, phones[0].ended, _GIVES_UP)
            await asyncio.sleep(talk.talk_for)
            for phone in phones:
                _leave(phone)
            await _either(phones[0].ended, phones[0].ended, 2.0)
            await self._expire(session)
            await asyncio.sleep(talk.pause)

    async def _call(self, caller: Phone, callee: Phone, virtual: Any, talk: Talk) -> None:
        callee.behaviour = Behaviour.ANSWER if talk.answered else Behaviour.REFUSE
        callee.ring_for = talk.ring_for
        self.ledger.calls += 1
        caller.dial(virtual, self._field.carrier.address)
        if talk.crossing:
            await asyncio.sleep(talk.ring_for)
        else:
            await _either(caller.answered, caller.ended, _GIVES_UP)
        if caller.answered.is_set() and not caller.ended.is_set():
            self.ledger.answered += 1
            self.somebody_talks.set()
            await asyncio.sleep(talk.talk_for)
        _leave(caller if talk.caller_ends else callee)
        await _either(caller.ended, caller.ended, 2.0)
        for phone in (caller, callee):
            _leave(phone)

    async def _phone(self, number: str) -> Phone:
        phone = Phone(number[-4:], parse_number(number), 440)
        phone.loss = _UNSAID
        await phone.open(HOST)
        self._phones.append(phone)
        self._field.carrier.add_line(phone.number, phone.address)
        return phone

    async def _again(self, phone: Phone) -> Phone:
        """The same telephone for its next call. One whose last call is not over goes on with it beside."""
        if phone.ended.is_set() or not phone.trace:
            await phone.reset(Behaviour.ANSWER)
            return phone
        return await self._phone(phone.number.e164)


def _leave(phone: Phone) -> None:
    if phone.ended.is_set():
        return
    if phone.answered.is_set():
        phone.hang_up()
    else:
        phone.cancel()


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
