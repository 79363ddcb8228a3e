"""Phones that hold, resume, switch codecs and change their minds, at once and over a bad network.

Beside what must hold after every run (`World.check`): whenever nobody is in the middle of anything, what each phone was
told of the other is what the other says, so no answer was lost on the way across, and each knows what the other speaks.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from maskline.masking.facts import Cause
from maskline.masking.trunk import Reliable
from maskline.sdp.negotiate import has_audio
from maskline.sdp.parse import parse
from maskline.sdp.session import Codec
from tests.support.call_machine import sdp
from tests.support.engine_world import World, clean
from tests.support.sim_scenario import A_MEDIA, B_MEDIA, Scenario
from tests.support.sim_seeds import blocks

BLOCK = 50
BLOCKS = blocks(6, BLOCK)
KNOWN = (890 // BLOCK, 3330 // BLOCK)
"""Of seed 890: a side that was asked for an offer was offered again what the other one had dropped; of 3330: a callee
dropped what its 183 had named, after a 200 that named more."""
WISHES = (
    "sendonly", "sendonly", "inactive", "sendrecv", "sendrecv", "0.0.0.0", "+sendonly", "+sendrecv", "-inactive", "9",
    "-9", "8", "asked", "recvonly",
)  # fmt: skip


WIDE = sdp(A_MEDIA, 4000, "9 0 8 101")


def b_sdp(codecs: str) -> bytes:
    return sdp(B_MEDIA, 6000, codecs)


def scenario_of(seed: int) -> Scenario:
    dice = random.Random(f"changes {seed}")
    presses = tuple(
        (round(dice.choice((0.3, 0.3, 1.0, 2.0)) * dice.randrange(1, 12), 2), dice.choice(("alice", "bob")),
         dice.choice(WISHES))
        for _ in range(dice.randrange(1, 7))
    )  # fmt: skip
    going_on = dice.random() < 0.25
    return Scenario(
        presses=presses,
        alice_bye=dice.choice((2.0, 12.0, 20.0, None)),
        bob_bye=dice.choice((None, None, 3.0, 8.0)),
        late_offer=dice.random() < 0.1,
        bob_dies=dice.choice((None,) * 9 + (8.0,)),
        media_fails_at=dice.choice((None,) * 9 + (3,)),
        relay=going_on or dice.random() > 0.2,
        record=dice.random() < 0.3,
        flow=("dial", "say") if going_on else None,
        kind="flow" if going_on else "shared",
    )


def with_codecs(scenario: Scenario, seed: int) -> Scenario:
    """Both know more codecs than G.711, and the callee changes its mind before its answer."""
    dice = random.Random(f"codecs {seed}")
    early, answer = (b_sdp(dice.choice(("9 101", "9 8 101", "8 101", "0 9 101"))) for _ in "ab")
    rings = ((1.0, 183, early),) if dice.random() < 0.7 else scenario.rings
    return replace(scenario, offer=WIDE, answer=answer, rings=rings)


def replay(seed: int, *, codecs: bool = False) -> World:
    dice = random.Random(f"network {seed}")
    bad = dice.choice((0.0, 0.0, 0.05, 0.2))
    scenario = with_codecs(scenario_of(seed), seed) if codecs else scenario_of(seed)
    return World(seed, scenario, loss=bad, duplication=bad, jitter=dice.choice((0.0, 0.05, 0.5))).run()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_call_with_changes_ends_once_and_leaves_nothing(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            replay(seed).check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {scenario_of(seed)}") from error


@pytest.mark.parametrize("block", [*range(BLOCKS), *KNOWN])
def test_every_call_with_more_codecs_ends_once_and_leaves_nothing(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            replay(seed, codecs=True).check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {with_codecs(scenario_of(seed), seed)}") from error


@pytest.mark.parametrize("codecs", [False, True])
def test_the_phones_are_compared_in_most_runs(codecs: bool) -> None:
    assert sum(replay(seed, codecs=codecs).compared > 0 for seed in range(60)) > 20


@pytest.mark.parametrize(
    ("presses", "alice", "bob"),
    [
        (((2.0, "alice", "sendonly"),), ("sendonly", "recvonly"), ("recvonly", "sendonly")),
        (((2.0, "bob", "+sendonly"),), ("recvonly", "sendonly"), ("sendonly", "recvonly")),
        (((2.0, "alice", "sendonly"), (3.0, "alice", "sendrecv")), ("sendrecv", "sendrecv"), ("sendrecv", "sendrecv")),
        (((2.0, "alice", "sendonly"), (3.0, "bob", "sendonly")), ("inactive", "sendonly"), ("sendonly", "inactive")),
        (((2.0, "alice", "-inactive"),), ("sendrecv", "sendrecv"), ("sendrecv", "sendrecv")),
        (((2.0, "bob", "9"),), ("sendrecv", "sendrecv"), ("sendrecv", "sendrecv")),
    ],
)  # fmt: skip
def test_what_the_phones_say_in_the_end(
    presses: tuple[tuple[float, str, str], ...], alice: tuple[str, str], bob: tuple[str, str]
) -> None:
    world = clean(Scenario(presses=presses))
    assert world.compared == 1
    assert (world.alice.handset.said, world.alice.handset.told) == alice
    assert (world.bob.handset.said, world.bob.handset.told) == bob
    assert world.record.cause is Cause.NORMAL


# -- a callee that answers otherwise than its 18x said ----------------------------------------------------------------


def spoken(messages: list[bytes]) -> list[Codec]:
    """The favourite of each description in them, in order; its reader speaks the last one."""
    bodies = [data.partition(b"\r\n\r\n")[2] for data in messages]
    return [
        next(codec for codec in parse(body).codecs if has_audio((codec,))) for body in bodies if body.startswith(b"v=0")
    ]


def first_counts(messages: list[bytes]) -> list[bytes]:
    """What a caller reads of them that goes by RFC 3261 §13.2.1: of the responses to its INVITE the first description,
    and then our offers."""
    answers = [data for data in messages if data.startswith(b"SIP/2.0 ") and b"\r\nCSeq: 1 INVITE" in data]
    described = [data for data in answers if b"\r\n\r\nv=0" in data]
    return [*described[:1], *(data for data in messages if data.startswith(b"INVITE "))]


@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize(
    ("early", "answer", "told"),
    [
        ("9 101", "8 101", True),
        ("9 8 101", "8 0 101", True),
        ("8 101", "9 101", True),
        ("9 101", "9 101", False),
        ("9 8 101", "9 101", False),
        ("8 9 101", "9 8 101", False),
    ],
)
def test_a_caller_speaks_what_its_callee_answered_in_the_end(
    reliable: bool, early: str, answer: str, told: bool
) -> None:
    """What the first answer named is what a caller speaks; another answer can only be told by an offer of ours."""
    rings = ((1.0, 183, b_sdp(early)),)
    world = World(1, Scenario(reliable=reliable, rings=rings, offer=WIDE, answer=b_sdp(answer), verdict_after=4.0))
    # Who has answered by a reliable 18x cannot answer otherwise.
    world.trunks = (world.trunks[0], *[replace(trunk, reliable=Reliable.OFF) for trunk in world.trunks[1:]])
    world.run().check()
    assert any(data.startswith(b"PRACK ") for data in world.from_alice) == reliable
    assert world.record.cause is Cause.NORMAL
    read = spoken(first_counts(world.to_alice))
    assert len(read) == 1 + told
    assert read[-1] in parse(b_sdp(answer)).codecs
    assert world.compared == 1
    # Nothing of it is the callee's business.
    assert sum(data.startswith(b"INVITE ") for data in world.to_bob) == 1


@pytest.mark.parametrize(("relay", "name"), [(False, "G722"), (True, "PCMA")])
def test_a_callee_that_drops_later_what_its_18x_named_has_its_caller_asked(relay: bool, name: str) -> None:
    """Whether the caller goes by the 183 or by the 200 is not known, so that both count. It goes on with G722 and PCMU,
    of which a relay makes PCMA."""
    rings, presses = ((1.0, 183, b_sdp("8 101")),), ((1.5, "bob", "9"),)
    world = clean(Scenario(rings=rings, offer=WIDE, answer=b_sdp("9 8 101"), presses=presses, relay=relay))
    assert spoken(first_counts(world.to_alice))[-1].name == name
    assert world.compared == 1


@pytest.mark.parametrize("method", ["", "+"])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_who_drops_what_the_other_speaks_is_spoken_to_otherwise(who: str, method: str) -> None:
    """Both speak G722 and could speak PCMA; one goes on with G.711 alone."""
    world = clean(Scenario(offer=WIDE, answer=b_sdp("9 8 101"), presses=((2.0, who, f"{method}8"),)))
    assert (world.record.cause, world.compared) == (Cause.NORMAL, 1)
    asked, told = (world.to_bob, world.to_alice) if who == "alice" else (world.to_alice, world.to_bob)
    assert spoken([data for data in asked if data.startswith(b"INVITE ")])[-1].name == "PCMA"
    assert spoken(told)[-1].name == "PCMA"
