"""The inbox keeps what arrives and answers as told."""

import aiohttp

from maskline.lab.inbox import Inbox


async def test_requests_are_kept_and_answered_as_told() -> None:
    inbox = Inbox()
    await inbox.open()
    inbox.answers["/hook"] = [503]
    try:
        async with aiohttp.ClientSession() as http:
            first = await http.post(inbox.url("/hook"), data={"EventName": "SessionTimeout", "Empty": ""})
            second = await http.post(inbox.url("/hook"), json={"eventType": "SESSION_SUMMARY"})
            third = await http.get(inbox.url("/hook") + "?EventName=X")
        got = await inbox.wait_for(3, "/hook", within=30)
    finally:
        await inbox.close()
    assert [first.status, second.status, third.status] == [503, 200, 200]
    assert [item.event for item in got] == ["SessionTimeout", "SESSION_SUMMARY", "X"]
    assert got[0].values == {"EventName": "SessionTimeout", "Empty": ""}


async def test_waiting_gives_up_after_its_time() -> None:
    inbox = Inbox()
    await inbox.open()
    try:
        assert await inbox.wait_for(1, "/hook", within=0.01) == []
    finally:
        await inbox.close()


async def test_prompts_are_there_to_be_fetched_and_every_fetch_is_kept() -> None:
    inbox = Inbox()
    inbox.files["/hello.wav"] = b"RIFF"
    await inbox.open()
    try:
        async with aiohttp.ClientSession() as http, http.get(inbox.url("/hello.wav")) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "audio/wav", b"RIFF")
        assert [item.path for item in inbox.received] == ["/hello.wav"]
    finally:
        await inbox.close()
