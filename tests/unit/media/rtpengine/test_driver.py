"""What the driver asks the daemon for, in which order, and what it makes of what the daemon says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import (
    Clip,
    DigitPressed,
    FarMedia,
    HeldLeg,
    HeldMedia,
    LocalMedia,
    MediaEvent,
    MediaLost,
    MediaTimedOut,
    PlayDone,
    RecordingLost,
)
from maskline.media.rtpengine import sound
from maskline.media.rtpengine.driver import RtpengineDriver
from maskline.sdp.secure import Crypto, Ice, Secure
from maskline.sdp.session import Codec
from tests.support.ng_daemon import NgDaemon
from tests.support.waiting import until

A, B = LegName.A, LegName.B
PCMU, EVENTS = Codec(0, "PCMU"), Codec(101, "telephone-event", fmtp="0-15")
VOICE = (PCMU, EVENTS)
FAR = FarMedia("127.0.0.1", 6000, 6001, VOICE)
DEAF = FarMedia("127.0.0.1", 6000, 6001, (PCMU,))
NO = {"result": "error", "error-reason": "no"}


@pytest.fixture
def events() -> list[MediaEvent]:
    return []


@pytest.fixture
async def driver(daemon: NgDaemon, events: list[MediaEvent], tmp_path: Path) -> AsyncIterator[RtpengineDriver]:
    made = RtpengineDriver([("127.0.0.1", daemon.port)], recordings=tmp_path)
    await made.start(events.append)
    daemon.asked.clear()
    yield made
    await made.stop()


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "c.wav"
    path.write_bytes(b"RIFF" + b"x" * 100)
    return Clip(str(path), 0.02)


async def connect(driver: RtpengineDriver, far_a: FarMedia = FAR, *, bridge: bool = True) -> None:
    await driver.open_leg("C", A, far_a, codecs=far_a.codecs)
    await driver.open_leg("C", B, None, codecs=VOICE)
    await driver.attach("C", B, FAR)
    if bridge:
        await driver.bridge("C")


def field(daemon: NgDaemon, command: str, name: str) -> list[Any]:
    return [message.get(name) for message in daemon.asked if message["command"] == command]


async def test_two_legs_are_kept_apart_from_before_the_answer_to_the_bridge(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    await driver.bridge("C")
    assert daemon.commands() == [
        "offer", "answer", "offer", "answer",
        "block media", "block DTMF", "answer", "unblock media", "unblock DTMF",
    ]  # fmt: skip
    assert field(daemon, "block media", "flags") == [["all"]]


async def test_a_conversation_that_is_over_is_blocked_once_and_not_watched_any_more(
    daemon: NgDaemon, events: list[MediaEvent], tmp_path: Path
) -> None:
    driver = RtpengineDriver([("127.0.0.1", daemon.port)], timeout=2.0, recordings=tmp_path)
    await driver.start(events.append)
    try:
        await connect(driver)
        daemon.asked.clear()
        await driver.unbridge("C")
        await driver.unbridge("C")
        assert daemon.commands()[:2] == ["block media", "block DTMF"] and daemon.commands().count("block media") == 1
        await asyncio.sleep(0.9)
        assert events == [] and "query" not in daemon.commands()
        await driver.bridge("C")
        assert daemon.commands()[-2:] == ["unblock media", "unblock DTMF"]
    finally:
        await driver.stop()


async def test_legs_of_different_families_are_told_addresses_of_their_own(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await driver.open_leg("x", A, FAR, codecs=VOICE)
    await driver.open_leg("x", B, None, codecs=VOICE, ipv6=True)
    families = [(asked["command"], asked.get("to-tag"), asked.get("address family")) for asked in daemon.asked]
    assert families == [("offer", None, None), ("answer", "v", None), ("offer", "b", "IP6"), ("answer", "b", "IP4")]
    assert "c=IN IP6 ::1" in daemon.asked[-1]["sdp"]


async def test_digits_stay_blocked_when_they_may_not_cross(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await connect(driver, bridge=False)
    daemon.asked.clear()
    await driver.bridge("C", digits=False)
    assert daemon.commands() == ["unblock media", "block DTMF"]


async def test_a_change_in_a_conversation_blocks_nothing(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await connect(driver)
    daemon.asked.clear()
    await driver.attach("C", B, FAR)
    await driver.attach("C", A, FAR)
    assert daemon.commands() == ["answer", "offer", "answer"]


@pytest.mark.parametrize(("voice", "translated"), [(PCMU, True), (Codec(18, "G729"), False)])
async def test_a_callee_with_its_own_number_for_events_is_offered_it_and_transcoded_where_that_can_be_done(
    daemon: NgDaemon, driver: RtpengineDriver, voice: Codec, translated: bool
) -> None:
    other = Codec(96, "telephone-event", fmtp="0-15")
    await driver.open_leg("C", A, replace(FAR, codecs=(voice, EVENTS)), codecs=(voice, EVENTS))
    await driver.open_leg("C", B, None, codecs=(voice, EVENTS))
    daemon.asked.clear()
    await driver.attach("C", B, replace(FAR, codecs=(voice, other)))
    assert daemon.commands()[2:] == (["offer", "answer"] if translated else ["answer"])
    assert [f"RTP/AVP {voice.payload_type} 101 96\r\n" in sdp for sdp in field(daemon, "offer", "sdp")] == [
        True
    ] * translated
    assert all(("always-transcode" in flags) == translated for flags in field(daemon, "answer", "flags"))


async def test_a_clip_goes_by_path_and_its_end_is_told(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, events: list[MediaEvent]
) -> None:
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    await driver.play("C", A, clip, 3, repeat=2)
    assert field(daemon, "play media", "file") == [clip.path]
    assert field(daemon, "play media", "repeat-times") == [2]
    await until(lambda: events == [PlayDone("C", A, 3)])


async def test_a_daemon_that_cannot_read_the_file_is_sent_it_from_then_on(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip
) -> None:
    daemon.replies["play media"] = lambda message: NO if "file" in message else {"result": "ok"}
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    await driver.play("C", A, clip, 1)
    await driver.play("C", A, clip, 2)
    assert ["file" in message for message in daemon.asked if message["command"] == "play media"] == [True, False, False]


async def test_a_long_clip_is_sent_over_tcp(daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(b"x" * 100_000)
    daemon.replies["play media"] = lambda message: NO if "file" in message else {"result": "ok"}
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    await driver.play("C", A, Clip(str(tmp_path / "long.wav"), 6.0), 1)
    assert [len(message["blob"]) for message in daemon.over_tcp] == [100_000]


async def test_a_clip_that_cannot_be_read_or_is_refused_is_an_error(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, events: list[MediaEvent]
) -> None:
    daemon.replies["play media"] = NO
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    for unplayable in (clip, Clip("/nowhere.wav", 1.0)):
        with pytest.raises(MediaUnavailable):
            await driver.play("C", A, unplayable, 1)
    assert events == []


async def test_in_a_conversation_the_other_side_is_muted_while_a_clip_plays(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip
) -> None:
    await connect(driver)
    daemon.asked.clear()
    await driver.play("C", A, clip, 1)
    await until(lambda: "unblock media" in daemon.commands())
    assert daemon.commands() == ["block media", "play media", "unblock media"]
    await driver.play("C", B, clip, 2, repeat=0)
    await driver.stop_playing("C", B)
    assert daemon.commands()[3:] == ["block media", "play media", "stop media", "unblock media"]
    assert field(daemon, "block media", "from-tag") == ["b", "a"]


async def test_the_bridge_stops_what_plays(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, events: list[MediaEvent]
) -> None:
    await connect(driver, bridge=False)
    await driver.play("C", A, clip, 1, repeat=0)
    await driver.bridge("C")
    assert "stop media" in daemon.commands()
    daemon.asked.clear()
    await driver.stop_playing("C", A)
    assert daemon.commands() == []
    assert events == []


async def test_a_daemon_that_stalls_at_each_request_is_waited_for(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    await driver.open_leg("C", B, None, codecs=VOICE)
    daemon.late = 0.9  # twice: more than one request may take
    await driver.attach("C", B, FAR)
    assert driver.available
    assert [command for command in daemon.commands() if command != "query"][-1] == "answer"


async def test_a_clip_that_cannot_be_played_leaves_nobody_muted(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.media.rtpengine.driver.PROBE_EVERY", 0.01)
    await connect(driver)
    daemon.asked.clear()
    daemon.replies["play media"] = daemon.replies["unblock media"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.play("C", A, clip, 1)
    await until(lambda: daemon.commands().count("unblock media") >= 2)
    del daemon.replies["unblock media"]
    asked = daemon.commands().count("unblock media")
    await until(lambda: daemon.commands().count("unblock media") > asked)
    assert set(field(daemon, "unblock media", "from-tag")) == {"b"}


async def test_a_clip_whose_start_was_not_confirmed_is_stopped_at_the_bridge(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip
) -> None:
    await connect(driver, bridge=False)
    daemon.replies["play media"] = daemon.replies["stop media"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.play("C", A, clip, 1)
    daemon.asked.clear()
    await driver.bridge("C")
    assert daemon.commands() == ["stop media", "unblock media", "unblock DTMF"], "the bridge does not depend on it"


DTLS = replace(FAR, secure=Secure("UDP/TLS/RTP/SAVPF", (), ("sha-256", ":".join(["AB"] * 32)), "actpass"))


def dtls_is_done_at_look(number: int) -> Any:
    """Replies to `query` of a daemon that finds out then."""
    looks = iter([[]] * (number - 1))

    def reply(_message: dict[str, Any]) -> dict[str, Any]:
        flags = next(looks, ["RTP", "DTLS fingerprint verified"])
        return {"result": "ok", "tags": {"a": {"medias": [{"streams": [{"flags": flags}, {"flags": []}]}]}}}

    return reply


async def test_a_clip_waits_for_the_keys_of_dtls_and_the_next_one_does_not_ask(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip
) -> None:
    daemon.replies["query"] = dtls_is_done_at_look(3)
    await driver.open_leg("C", A, DTLS, codecs=VOICE)
    daemon.asked.clear()
    await driver.play("C", A, clip, 1)
    assert daemon.commands() == ["query", "query", "query", "play media"]
    await driver.play("C", A, clip, 2)
    assert daemon.commands()[4:] == ["play media"]
    await driver.attach("C", A, replace(DTLS, port=6002))
    await driver.play("C", A, clip, 3)
    assert daemon.commands().count("query") == 3, "another address has the same keys"


async def test_a_clip_waits_for_keys_no_longer_than_for_one_repeated_message(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.media.rtpengine.signalling._KEY_LOOKS", 2)
    daemon.replies["query"] = dtls_is_done_at_look(9)
    await driver.open_leg("C", A, DTLS, codecs=VOICE)
    daemon.asked.clear()
    await driver.play("C", A, clip, 1)
    assert daemon.commands() == ["query", "query", "play media"]
    daemon.replies["query"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.play("C", A, clip, 2)


async def test_only_digits_of_collected_legs_are_told(
    daemon: NgDaemon, driver: RtpengineDriver, events: list[MediaEvent]
) -> None:
    await connect(driver)
    await driver.collect("C", A, True)
    await driver.collect("C", A, True)
    for data in (
        {"callid": "C", "source_tag": "b", "event": 1},
        {"callid": "D", "source_tag": "a", "event": 1},
        {"callid": "C", "source_tag": "v", "event": 1},
        {"callid": "C", "source_tag": "a", "event": 16},
        {"callid": "C", "source_tag": "a", "event": -1},
        {"callid": "C", "source_tag": "a"},
        "nonsense",
        {"callid": "C", "source_tag": "a", "event": 11},
    ):
        daemon.notify(data)
    await until(lambda: bool(events))
    assert events == [DigitPressed("C", A, "#")]


async def test_tones_are_listened_for_only_without_telephone_events(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await connect(driver, DEAF)
    daemon.asked.clear()
    await driver.collect("C", B, True)
    assert daemon.commands() == []
    await driver.collect("C", A, True)
    await driver.collect("C", A, False)
    assert field(daemon, "unblock DTMF", "flags") == [["detect-DTMF"], None]


async def test_a_digit_makes_the_call_ready_once_and_is_pressed_from_the_other_side(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    daemon.asked.clear()
    await driver.send_digit("C", B, "5")
    await until(lambda: "play DTMF" in daemon.commands())
    daemon.replies["play DTMF"] = NO
    await driver.send_digit("C", B, "6", duration_ms=200)
    await until(lambda: daemon.commands().count("play DTMF") == 2)
    assert daemon.commands() == ["offer", "answer", "play DTMF", "play DTMF"]
    assert all("inject-DTMF" in flags for flags in field(daemon, "answer", "flags"))
    assert field(daemon, "play DTMF", "from-tag") == ["a", "a"]
    assert field(daemon, "play DTMF", "code") == ["5", "6"]


async def test_no_digit_for_a_phone_without_events_or_before_the_bridge(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver, DEAF, bridge=False)
    daemon.asked.clear()
    await driver.send_digit("C", B, "5")
    await driver.bridge("C")
    await driver.send_digit("C", A, "5")
    assert "play DTMF" not in daemon.commands()


async def test_a_call_that_cannot_be_made_ready_for_digits_is_tried_again(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    daemon.replies["offer"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.send_digit("C", B, "5")
    del daemon.replies["offer"]
    await driver.send_digit("C", B, "5")
    await until(lambda: "play DTMF" in daemon.commands())


async def test_a_digit_waits_for_audio_behind_a_key_of_that_stream_and_not_behind_one_of_ours(
    daemon: NgDaemon, driver: RtpengineDriver, events: list[MediaEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "_AUDIO_AGAIN", 0.2)
    await connect(driver)
    await driver.collect("C", A, True)
    daemon.notify({"callid": "C", "source_tag": "a", "event": 9})
    await until(lambda: bool(events))
    loop = asyncio.get_running_loop()
    keyed_at = loop.time()
    await driver.send_digit("C", B, "5")
    assert "play DTMF" not in daemon.commands()
    await until(lambda: "play DTMF" in daemon.commands())
    assert loop.time() - keyed_at >= 0.15
    daemon.notify({"callid": "C", "source_tag": "a", "event": 5})  # that was ours
    daemon.notify({"callid": "C", "source_tag": "a", "event": 5})
    await until(lambda: len(events) == 2)
    assert events == [DigitPressed("C", A, "9"), DigitPressed("C", A, "5")]


async def test_an_encrypted_caller_is_answered_as_it_asked_and_the_callee_in_the_clear(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    ice = Ice("abcd", "p" * 22)
    secure = Secure("UDP/TLS/RTP/SAVPF", (), ("sha-256", ":".join(["AB"] * 32)), "actpass", ice, rtcp_mux=True)
    await connect(driver, FarMedia("127.0.0.1", 6000, 6001, VOICE, secure=secure))
    assert field(daemon, "offer", "transport protocol") == ["RTP/AVP"] * 2
    assert field(daemon, "answer", "transport protocol") == ["UDP/TLS/RTP/SAVPF"] * 3
    assert field(daemon, "answer", "ICE") == ["force"] * 3
    assert field(daemon, "answer", "rtcp-mux") == [["accept"]] * 3
    assert ["strict-source" in flags for flags in field(daemon, "offer", "flags")] == [False, False]
    assert ["strict-source" in flags for flags in field(daemon, "answer", "flags")] == [True, True, True]
    sdes = Secure("RTP/SAVP", (Crypto(1, "AEAD_AES_256_GCM", "inline:" + "A" * 40),))
    daemon.asked.clear()
    await driver.open_leg("D", A, FarMedia("127.0.0.1", 6000, 6001, VOICE, secure=sdes), codecs=VOICE)
    assert field(daemon, "answer", "ICE") == ["remove"]
    assert field(daemon, "answer", "rtcp-mux") == [["demux"]]
    assert "strict-source" in field(daemon, "offer", "flags")[0]


def keyed_reply(message: dict[str, Any]) -> dict[str, Any]:
    """As the daemon: keys in the SDP for a leg that is to have them."""
    protocol = message["transport protocol"]
    keys = "a=crypto:3 AEAD_AES_256_GCM inline:DDDD\r\na=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:EEEE\r\n"
    keys += "a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:FFFF\r\n"
    sdp = f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 7000 {protocol} 0\r\n{keys if protocol == 'RTP/SAVP' else ''}"
    return {"result": "ok", "sdp": sdp}


async def test_who_is_dialled_with_keys_is_offered_one_and_nobody_answers_with_another(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    daemon.replies |= {"offer": keyed_reply, "answer": keyed_reply}
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    local = await driver.open_leg("C", B, None, codecs=VOICE, encrypted=True)
    assert local.secure == Secure("RTP/SAVP", (Crypto(7, "AES_CM_128_HMAC_SHA1_80", "inline:EEEE"),))
    assert field(daemon, "offer", "transport protocol") == ["RTP/AVP", "RTP/SAVP"]
    assert field(daemon, "answer", "transport protocol") == ["RTP/AVP", "RTP/AVP"]
    nobody = daemon.asked[-1]["sdp"]
    assert "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:" in nobody and "EEEE" not in nobody
    first = await driver.open_leg("D", A, None, codecs=VOICE, encrypted=True)
    assert first.secure is not None and len(first.secure.cryptos) == 1
    assert field(daemon, "answer", "transport protocol")[-1] == "RTP/SAVP"
    assert "RTP/SAVP" in field(daemon, "offer", "sdp")[-1]


async def test_a_callee_is_offered_no_key_of_a_kind_the_caller_offers(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    """Of that kind the daemon would pass on the caller's own."""
    daemon.replies |= {"offer": keyed_reply, "answer": keyed_reply}
    usual, better = Crypto(1, "AES_CM_128_HMAC_SHA1_80", "inline:AAAA"), Crypto(2, "AEAD_AES_256_GCM", "inline:BBBB")
    for call_id, cryptos, suite in (("C", (usual,), "32"), ("D", (usual, better), "80")):
        far = FarMedia("127.0.0.1", 6000, 6001, VOICE, secure=Secure("RTP/SAVP", cryptos))
        await driver.open_leg(call_id, A, far, codecs=VOICE)
        local = await driver.open_leg(call_id, B, None, codecs=VOICE, encrypted=True)
        assert local.secure is not None
        assert [crypto.suite[-2:] for crypto in local.secure.cryptos] == [suite]
        assert field(daemon, "offer", "sdp")[-1].count("a=crypto") == 1


async def test_without_a_usual_key_there_is_no_encrypted_leg(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await driver.open_leg("C", A, FAR, codecs=VOICE)
    with pytest.raises(MediaUnavailable):
        await driver.open_leg("C", B, None, codecs=VOICE, encrypted=True)


# --- recording --------------------------------------------------------------------------------------------------


def writes_pcap(folder: Path, name: str) -> Any:
    def reply(_message: dict[str, Any]) -> dict[str, Any]:
        (folder / "pcaps").mkdir(exist_ok=True)
        (folder / "pcaps" / name).write_bytes(b"")
        return {"result": "ok"}

    return reply


async def test_a_recording_has_the_files_name_ports_and_codecs(
    daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path
) -> None:
    await connect(driver)
    daemon.replies["start recording"] = writes_pcap(tmp_path, "C-1.pcap")
    (tmp_path / "metadata").mkdir()
    note = tmp_path / "metadata" / "rtpengine-meta-C-1.txt"
    note.write_text("a note")
    spool = await driver.start_recording("C", "rec")
    assert (spool.path, spool.format) == (str(tmp_path / "pcaps" / "rec.pcap"), "pcap")
    assert [(leg.leg, leg.port, leg.codecs) for leg in spool.legs] == [(A, 4000, VOICE), (B, 5000, VOICE)]
    await driver.stop_recording("C")
    assert not note.exists()
    await driver.stop_recording("C")
    assert daemon.commands().count("stop recording") == 1


async def test_a_recording_that_is_not_where_it_should_be_is_an_error(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    with pytest.raises(MediaUnavailable):
        await driver.start_recording("C", "rec")
    assert daemon.commands()[-1] == "stop recording"
    daemon.replies["start recording"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.start_recording("C", "rec")


async def test_a_file_that_may_not_be_renamed_is_taken_as_it_is(
    daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path
) -> None:
    await connect(driver)
    (tmp_path / "pcaps" / "rec.pcap").mkdir(parents=True)  # a rename onto it fails
    daemon.replies["start recording"] = writes_pcap(tmp_path, "C-1.pcap")
    assert (await driver.start_recording("C", "rec")).path.endswith("/C-1.pcap")


async def test_the_end_of_the_call_ends_the_recording(
    daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path
) -> None:
    await connect(driver)
    daemon.replies["start recording"] = writes_pcap(tmp_path, "C-1.pcap")
    await driver.start_recording("C", "rec")
    daemon.replies["stop recording"] = daemon.replies["delete"] = NO
    assert await driver.close("C") == {}
    assert daemon.commands()[-2:] == ["stop recording", "delete"]


# --- a daemon that was restarted ----------------------------------------------------------------------------------


async def test_after_a_restart_all_is_asked_again_that_redis_does_not_hold(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, tmp_path: Path, events: list[MediaEvent]
) -> None:
    await connect(driver, DEAF)
    await driver.send_digit("C", B, "1")
    await driver.collect("C", A, True)
    await driver.play("C", B, clip, 1, repeat=0)
    daemon.replies["start recording"] = writes_pcap(tmp_path, "C-1.pcap")
    await driver.start_recording("C", "rec")
    daemon.asked.clear()
    daemon.hang_up()
    await until(lambda: driver.renewed == 1)
    assert daemon.commands() == [
        "query", *["offer", "answer"] * 2, "unblock media", "unblock DTMF", "block media", "play media", "unblock DTMF",
        "start recording",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "pcaps").iterdir()) == ["rec.pcap", "rec.pcap.2"]
    daemon.replies["start recording"] = NO
    daemon.hang_up()
    await until(lambda: driver.renewed == 2)
    assert events == [RecordingLost("C")]


async def test_after_a_restart_legs_that_wait_are_kept_apart_and_clips_go_on(
    daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path, events: list[MediaEvent], clip: Clip
) -> None:
    await connect(driver, bridge=False)
    await driver.play("C", A, Clip(clip.path, 0.5), 9)
    daemon.asked.clear()
    daemon.hang_up()
    await until(lambda: driver.renewed == 1)
    assert daemon.commands() == ["query", *["offer", "answer"] * 2, "block media", "block DTMF", "play media"]
    assert ["m=audio 9 " in sdp for sdp in field(daemon, "offer", "sdp")] == [True, False], "moved away and back"
    await until(lambda: events == [PlayDone("C", A, 9)])


async def test_calls_that_a_restarted_daemon_has_not_are_lost(
    daemon: NgDaemon, driver: RtpengineDriver, events: list[MediaEvent]
) -> None:
    await connect(driver)
    daemon.replies["query"] = NO
    daemon.hang_up()
    await until(lambda: events == [MediaLost("C")])
    with pytest.raises(MediaUnavailable):
        await driver.play("C", A, Clip("/x", 1.0), 1)


async def test_a_daemon_without_tcp_is_used_and_said_to_be_deaf(tmp_path: Path, capsys: Any) -> None:
    daemon = await NgDaemon().start(tcp=False)
    driver = RtpengineDriver([("127.0.0.1", daemon.port)], recordings=tmp_path)
    await driver.start(lambda _: None)
    try:
        assert driver.available
        await driver.open_leg("C", A, FAR, codecs=VOICE)
        (tmp_path / "long.wav").write_bytes(b"x" * 100_000)
        daemon.replies["play media"] = lambda message: NO if "file" in message else {"result": "ok"}
        with pytest.raises(MediaUnavailable):
            await driver.play("C", A, Clip(str(tmp_path / "long.wav"), 6.0), 1)
        assert "media_digits_unheard" in capsys.readouterr().out
    finally:
        await driver.stop()
        await daemon.stop()


# --- the rest of the port -----------------------------------------------------------------------------------------


async def test_figures_of_a_call_come_from_the_daemon_and_those_of_none_are_empty(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    streams = [{"stats": {"packets": 7, "errors": 0}}]
    daemon.replies["query"] = daemon.replies["delete"] = {"tags": {"a": {"medias": [{"streams": streams}]}}}
    assert (await driver.stats("C"))[A].packets_received == 7
    assert (await driver.close("C"))[A].packets_received == 7
    assert await driver.close("C") == {}
    with pytest.raises(MediaUnavailable):
        await driver.stats("C")


async def test_figures_of_a_call_that_the_daemon_lost_are_an_error(daemon: NgDaemon, driver: RtpengineDriver) -> None:
    await connect(driver)
    daemon.replies["query"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.stats("C")


async def test_an_open_leg_is_not_opened_again_and_one_that_is_refused_is_forgotten(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    first = await driver.open_leg("C", A, FAR, codecs=VOICE)
    daemon.asked.clear()
    assert await driver.open_leg("C", A, None, codecs=VOICE) == first
    assert daemon.commands() == []
    daemon.replies["offer"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.open_leg("D", A, FAR, codecs=VOICE)
    assert set(driver.calls) == {"C"}


async def test_without_a_daemon_everything_is_unavailable_at_once(tmp_path: Path) -> None:
    driver = RtpengineDriver([("127.0.0.1", 9)], recordings=tmp_path)
    with pytest.raises(MediaUnavailable):
        await driver.open_leg("C", A, FAR, codecs=VOICE)
    with pytest.raises(MediaUnavailable):
        await driver.close("C")
    assert not driver.available


async def test_a_call_closed_in_a_daemon_that_does_not_answer_is_closed_when_it_does(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    await connect(driver)
    daemon.silent = True
    with pytest.raises(MediaUnavailable):
        await driver.close("C")
    with pytest.raises(MediaUnavailable):
        await driver.bridge("C")
    daemon.silent = False
    await until(lambda: driver.calls == {})
    assert "delete" in daemon.commands()


async def test_a_conversation_in_which_nobody_speaks_is_timed_out_once(
    daemon: NgDaemon, events: list[MediaEvent], tmp_path: Path
) -> None:
    driver = RtpengineDriver([("127.0.0.1", daemon.port)], timeout=0.2, recordings=tmp_path)
    await driver.start(events.append)
    try:
        await connect(driver)
        await until(lambda: events == [MediaTimedOut("C")])
    finally:
        await driver.stop()


async def test_the_silence_of_a_held_call_is_no_time_out(
    daemon: NgDaemon, events: list[MediaEvent], tmp_path: Path
) -> None:
    driver = RtpengineDriver([("127.0.0.1", daemon.port)], timeout=0.2, recordings=tmp_path)
    await driver.start(events.append)
    try:
        await connect(driver, bridge=False)
        await driver.attach("C", B, replace(FAR, direction="sendonly"))
        # It has a longer time-out of its own for those.
        assert "a=sendonly" in [message["sdp"] for message in daemon.asked if "sdp" in message][-1]
        await driver.bridge("C")
        asked = daemon.commands().count("query")
        await until(lambda: daemon.commands().count("query") >= asked + 8)
        assert events == []
        await driver.attach("C", B, FAR)
        await until(lambda: events == [MediaTimedOut("C")])
    finally:
        await driver.stop()


async def test_a_silent_conversation_that_the_daemon_freed_itself_is_timed_out_too(
    daemon: NgDaemon, events: list[MediaEvent], tmp_path: Path
) -> None:
    driver = RtpengineDriver([("127.0.0.1", daemon.port)], timeout=1.2, recordings=tmp_path)
    await driver.start(events.append)
    try:
        await connect(driver)
        await until(lambda: daemon.commands().count("query") >= 2)
        daemon.replies["query"] = NO
        await until(lambda: driver.calls == {})
        assert events[-1] == MediaTimedOut("C")
    finally:
        await driver.stop()


async def test_a_driver_that_stops_leaves_nothing_behind(
    daemon: NgDaemon, driver: RtpengineDriver, clip: Clip, events: list[MediaEvent]
) -> None:
    await connect(driver)
    await driver.play("C", A, clip, 1)
    await driver.stop()
    await asyncio.sleep(0.1)
    assert events == []
    assert driver.calls == {}


async def test_a_far_side_behind_nat_is_told_as_found_from_the_moment_it_was(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    behind = replace(FAR, nat=True)
    await connect(driver, behind)
    assert "endpoint-learning-immediate" in field(daemon, "offer", "flags")[-1]
    found = [{"flags": ["confirmed"], "endpoint": {"address": "127.0.0.9", "port": port}} for port in (7000, 7077)]
    daemon.replies["query"] = {"result": "ok", "tags": {"a": {"medias": [{"streams": found}]}}}
    await driver.attach("C", A, behind)
    assert "endpoint-learning-off" in field(daemon, "offer", "flags")[-1]
    sdp = field(daemon, "offer", "sdp")[-1]
    assert "c=IN IP4 127.0.0.9" in sdp
    assert "m=audio 7000 " in sdp
    assert "a=rtcp:7077" in sdp
    asked = daemon.commands().count("query")
    await driver.attach("C", A, replace(behind, codecs=(PCMU,)))
    assert daemon.commands().count("query") == asked, "found once"
    assert "m=audio 7000 RTP/AVP 0\r" in field(daemon, "offer", "sdp")[-1]
    daemon.replies["query"] = {"result": "ok", "tags": {"a": {"medias": [{"streams": [{"flags": []}]}]}}}
    await driver.attach("C", A, replace(behind, port=6600))
    assert "m=audio 6600 " in field(daemon, "offer", "sdp")[-1], "who moved is looked for again"
    assert "endpoint-learning-immediate" in field(daemon, "offer", "flags")[-1]
    daemon.replies["query"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.attach("C", A, behind)


async def test_a_call_of_a_process_before_is_taken_over_as_it_was_asked_for(
    daemon: NgDaemon, driver: RtpengineDriver, tmp_path: Path
) -> None:
    (tmp_path / "pcaps").mkdir()
    for name in ("r.pcap", "r.pcap.2"):
        (tmp_path / "pcaps" / name).touch()
    local = LocalMedia("127.0.0.1", 20_000, 20_001)
    legs = (
        HeldLeg(A, local, FAR, VOICE), HeldLeg(B, local, FAR, VOICE, encrypted=True, ipv6=True),
    )  # fmt: skip
    await driver.adopt("C", HeldMedia(legs, "r"), digits=False)
    assert daemon.commands() == ["query"]
    call = driver.calls["C"]
    assert (call.bridged, call.digits, call.encrypted, call.ipv6) == (True, False, {B}, {B})
    assert (call.local, call.far) == ({A: local, B: local}, {A: FAR, B: FAR})
    assert call.recording is not None and (call.recording.id, call.recording.parts) == ("r", 2)
    await driver.close("C")
    assert daemon.commands()[-1] == "delete"


async def test_a_call_that_the_daemon_does_not_have_is_not_taken_over(
    daemon: NgDaemon, driver: RtpengineDriver
) -> None:
    daemon.replies["query"] = NO
    with pytest.raises(MediaUnavailable):
        await driver.adopt("C", HeldMedia(()))
    assert driver.calls == {}
