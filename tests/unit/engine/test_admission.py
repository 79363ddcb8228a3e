"""New calls that wait: taken in order, refused when late for long, dropped when too many; nothing is forgotten."""

from __future__ import annotations

from maskline.engine.admission import (
    INTERVAL,
    LATEST,
    MAX_BYTES,
    MAX_UNWRITTEN,
    MAX_WAITING,
    PAUSE,
    REFUSALS,
    TARGET,
    UNWRITTEN_WHEN_REFUSING,
    Admission,
)
from maskline.engine.counters import EngineCounters
from maskline.sip.flow import Flow

PEER = Flow("udp", "192.0.2.7", 5060)


class Desk:
    """An admission whose calls cost `cost` seconds each, and refusals nothing."""

    def __init__(self, cost: float = 0.001) -> None:
        self.now = 100.0
        self.pause: float | None = None
        self.cost = cost
        self.taken: list[bytes] = []
        self.longest = 0.0
        """That one which was taken had waited."""
        self.refused: list[bytes] = []
        self.known: set[bytes] = set()
        self.no_room = False
        self.unwritten = 0
        self.counters = EngineCounters()
        self.admission = Admission(self.refuse, lambda: self.no_room, lambda: self.unwritten, self.counters)
        self.admission._tokens_at = self.now

    def refuse(self, data: bytes, flow: Flow, now: float) -> bool:
        if data in self.known:
            return False
        self.refused.append(data)
        return True

    def take(self, data: bytes, flow: Flow) -> None:
        self.taken.append(data)
        self.now += self.cost

    def put(self, data: bytes, since: float | None = None) -> None:
        self.admission.put(data, PEER, self.now if since is None else since)

    def serve(self, seconds: float = 0.002, most: int = 1000) -> bool:
        """Whether some still wait."""
        self.pause = self.admission.serve(lambda: self.now, self.take, seconds, most)
        return self.pause is not None

    def offer(self, rate: float, seconds: float, stalled: float = 0.0) -> None:
        """Calls come at `rate` while the desk does nothing else, but in the first `stalled` seconds nothing at all."""
        end, come, first = self.now + seconds, 0, self.now
        self.now += stalled
        while self.now < end:
            while come < (self.now - first) * rate:
                self.put(b"%d" % come, first + come / rate)
                come += 1
            waited = self.now - (self.admission.waiting[0][2] if self.admission.waiting else self.now)
            before = len(self.refused)
            busy = self.serve()
            if len(self.refused) == before:
                self.longest = max(self.longest, waited)
            if not busy:
                self.now = max(self.now, first + come / rate + 1e-6)


def test_nothing_waits_for_nothing() -> None:
    desk = Desk()
    assert not desk.serve()
    desk.put(b"a")
    desk.put(b"b")
    assert not desk.serve() and desk.taken == [b"a", b"b"]


def test_after_its_slice_calls_in_progress_get_their_turn() -> None:
    desk = Desk()
    for name in b"abcde":
        desk.put(bytes([name]))
    assert desk.serve() and desk.taken == [b"a", b"b"]
    assert desk.serve(0.0) and desk.taken == [b"a", b"b", b"c"]
    assert not desk.serve() and desk.taken == [b"a", b"b", b"c", b"d", b"e"]


def test_only_so_many_are_taken_but_all_that_are_late_are_refused() -> None:
    desk = Desk(cost=0.0)
    desk.admission.refusing, desk.admission.above = True, 0.0
    for since in (1.0, 1.0, 1.0, 0.0, 0.0):
        desk.put(b"late" if since else b"new", desk.now - since)
    assert desk.serve(most=1) and (len(desk.refused), desk.taken) == (3, [b"new"])


def test_a_cancel_is_read_after_the_invite_it_waits_behind_and_never_refused() -> None:
    desk = Desk()
    desk.admission.refusing, desk.admission.above = True, 0.0
    desk.put(b"INVITE", desk.now - 1.0)
    desk.put(b"CANCEL sip:x", desk.now - 1.0)
    assert not desk.serve() and (desk.refused, desk.taken) == ([b"INVITE"], [b"CANCEL sip:x"])


def test_a_stall_refuses_nobody() -> None:
    desk = Desk()
    for _ in range(50):
        desk.put(b"x", desk.now - 3.0)
    while desk.serve():
        pass
    assert len(desk.taken) == 50 and desk.refused == [] and not desk.admission.refusing


def test_below_the_limit_nobody_is_refused() -> None:
    desk = Desk()
    desk.offer(rate=900, seconds=3.0)
    assert desk.refused == [] and len(desk.taken) >= 2690


def test_the_backlog_of_a_stall_gets_less_and_refuses_nobody() -> None:
    desk = Desk()
    desk.offer(rate=920, seconds=8.0, stalled=0.38)
    assert desk.refused == [] and desk.longest > TARGET
    assert not desk.serve() and desk.admission.above is None


def test_one_stall_after_another_refuses_nobody_as_long_as_there_is_time_between() -> None:
    desk = Desk()
    for _ in range(4):
        desk.offer(rate=920, seconds=2.0, stalled=0.22)
    assert desk.refused == []


def test_a_backlog_that_does_not_get_less_is_refused_before_calls_are_sent_again() -> None:
    desk = Desk()
    desk.offer(rate=1050, seconds=12.0)
    assert desk.admission.refusing and desk.longest <= LATEST
    assert len(desk.taken) >= 11_900
    assert len(desk.refused) < 12 * 50


def test_at_three_times_the_limit_the_desk_is_busy_with_calls_that_waited_little() -> None:
    desk = Desk()
    desk.offer(rate=3000, seconds=5.0)
    assert len(desk.taken) >= 4900
    assert desk.admission.refusing and len(desk.refused) > 8000
    assert len(desk.admission.waiting) <= 3000 * (TARGET + 0.05)
    assert desk.counters.overloaded == len(desk.refused)


def test_when_the_load_falls_everything_is_as_before() -> None:
    desk = Desk()
    desk.offer(rate=3000, seconds=2.0)
    before = desk.now
    while desk.serve():
        pass
    assert desk.now - before < TARGET + INTERVAL
    assert not desk.admission.refusing and desk.admission.above is None
    refused = len(desk.refused)
    desk.offer(rate=900, seconds=1.0)
    assert len(desk.refused) == refused


def test_a_copy_of_a_call_we_know_is_taken_however_late() -> None:
    desk = Desk()
    desk.offer(rate=3000, seconds=1.0)
    assert desk.admission.refusing
    desk.known.add(b"copy")
    desk.admission.waiting.appendleft((b"copy", PEER, desk.now - 1.0))
    desk.serve()
    assert b"copy" in desk.taken and b"copy" not in desk.refused


def test_without_room_all_are_refused_at_once() -> None:
    desk = Desk()
    desk.no_room = True
    desk.put(b"a")
    assert not desk.serve() and desk.refused == [b"a"]


def test_with_a_slow_disk_new_calls_wait_for_it_and_are_refused_when_late() -> None:
    desk = Desk()
    desk.unwritten = MAX_UNWRITTEN + 1
    desk.put(b"a")
    assert desk.serve() and desk.pause == PAUSE and desk.taken == desk.refused == []
    desk.unwritten = MAX_UNWRITTEN
    assert not desk.serve() and desk.taken == [b"a"]
    desk.unwritten += 1
    desk.put(b"b")
    for _ in range(6):
        assert desk.serve() and desk.refused == []
        desk.now += 0.09
    assert not desk.serve() and desk.refused == [b"b"]


def test_a_peak_leaves_room_for_what_comes_after_it() -> None:
    desk = Desk(cost=0.0)
    desk.unwritten = UNWRITTEN_WHEN_REFUSING + 1
    desk.admission.refusing = True
    desk.put(b"a")
    assert desk.serve() and desk.pause == PAUSE and desk.taken == []
    desk.unwritten -= 1
    assert not desk.serve() and desk.taken == [b"a"]
    desk.unwritten = MAX_UNWRITTEN
    desk.put(b"b")  # the peak is over
    assert not desk.serve() and desk.taken == [b"a", b"b"]


def test_a_flood_is_dropped_and_bounded() -> None:
    desk = Desk(cost=0.0)
    desk.no_room = True
    for _ in range(MAX_WAITING + 7):
        desk.put(b"x")
    assert desk.counters.flooded == 7
    assert not desk.serve() and len(desk.refused) == REFUSALS
    for _ in range(100):
        desk.put(b"x")
    assert not desk.serve()
    assert (len(desk.refused), desk.counters.flooded) == (REFUSALS, 107)
    desk.now += 0.01
    for _ in range(100):
        desk.put(b"x")
    assert not desk.serve() and len(desk.refused) == REFUSALS + 40


def test_a_flood_of_large_messages_is_bounded_in_bytes() -> None:
    desk, large = Desk(cost=0.0), bytes(65_000)
    fitting = -(-MAX_BYTES // len(large))
    for _ in range(2):
        desk.counters.flooded = 0
        for _ in range(fitting + 3):
            desk.put(large)
        assert desk.counters.flooded == 3 and len(desk.admission.waiting) == fitting
        assert not desk.serve()
    assert len(desk.taken) == 2 * fitting, "what was read is held no more"
