"""Recordings pushed where a customer of 8x8's API says: an S3 bucket and an SFTP server of somebody else, real calls.

One platform; the account is set up by the API alone, with a key. The calls are a call flow's, which its application
answers with, and a session's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import aiohttp
import obstore
import pytest
import pytest_asyncio
from aiohttp import web
from obstore.store import S3Store

from maskline.lab.phone import Behaviour
from tests.support.rig import CALLEE, VIRTUAL, Rig, happened
from tests.support.s3_server import KEY_ID, SECRET, S3Server
from tests.support.sftp_server import SftpServer

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]

FLOW = {
    "clientActionId": "one",
    "callflow": [{"action": "makeCall", "params": {"source": VIRTUAL, "destination": CALLEE, "callRecording": True}}],
}


class Customer:
    """A rig with storage of both kinds, an application that answers call actions, and a key of the API."""

    def __init__(self, rig: Rig, s3: S3Server, sftp: SftpServer) -> None:
        self.rig = rig
        self.s3 = s3
        self.sftp = sftp
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        await self.rig.open(record=True)
        key = (await self.rig.cli("account", "key", "create", self.rig.account_id))["key"]
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
        app = web.Application()
        app.router.add_post("/vca", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        for name, url in (("VCA", f"http://127.0.0.1:{port}/vca"), ("VRU", self.rig.inbox.url("/vru"))):
            wish = {"type": name, "url": url, "httpAuthHeader": "Bearer of-the-customer"}
            assert (await self.ask("POST", "/webhooks", wish))["count"] >= 1

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.json_response(FLOW)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        assert self._http is not None
        url = f"{self.rig.platform.url}/api/v1/subaccounts/{self.rig.account_id}{path}"
        async with self._http.request(method, url, json=body) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told

    async def talk(self, caller: Any) -> None:
        await self.rig.prepare(Behaviour.ANSWER)
        self.rig.dial(caller)
        assert await happened(caller.answered)
        await asyncio.sleep(1.2)
        caller.hang_up()

    async def uploaded(self) -> dict[str, Any]:
        """The payload of the upload's webhook."""
        (told,) = await self.rig.hooks("/vru", 1, 30.0)
        assert told.headers["Authorization"] == "Bearer of-the-customer"
        assert told.event == "CALL_RECORDING_STATUS"
        payload: dict[str, Any] = told.values["payload"]
        return payload

    async def recording(self, session_id: str, status: str) -> dict[str, Any]:
        """The one recording of a session, once the API says this of it."""
        async with asyncio.timeout(30):
            while True:
                (found,) = (await self.ask("GET", f"/recordings/{session_id}"))["recordings"]
                if found["status"] == status:
                    return dict(found)
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.rig.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def customer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Customer]:
    with closing(SftpServer(tmp_path_factory.mktemp("sftp"))) as sftp, closing(S3Server()) as s3:
        rig = Rig(tmp_path_factory.mktemp("platform"), MASKLINE_RECORDING_S3_ENDPOINT=s3.endpoint)
        made = Customer(rig, s3, sftp)
        try:
            await made.open()
            yield made
        finally:
            await made.close()


def is_mp3(data: bytes) -> bool:
    return len(data) > 1000 and (data[:3] == b"ID3" or (data[0] == 0xFF and data[1] & 0xE0 == 0xE0))


@pytest.mark.row("8x8:9/enable", "8x8:9/protocol", "8x8:9/file", "8x8:9/VRU", "8x8:9/start")
async def test_a_call_flows_recording_reaches_the_customers_bucket(customer: Customer) -> None:
    shown = await customer.ask(
        "POST", "/recording-push-config",
        {
            "protocol": "S3", "host": "us-east-1", "username": KEY_ID, "password": SECRET,
            "path": f"{customer.s3.bucket}/masked",
        },
    )  # fmt: skip
    assert (shown["passwordSet"], SECRET in str(shown)) == (True, False)
    await customer.talk(customer.rig.stranger)
    told = await customer.uploaded()
    found = await customer.recording(told["sessionId"], "CALLBACK_COMPLETED")
    assert (found["recordingId"], found["subAccountId"]) == (told["recordingId"], customer.rig.account_id)
    assert found["externalFileUrl"] == f"s3://{customer.s3.bucket}{told['filePath']}"
    folder, _, name = told["filePath"].lstrip("/").rpartition("/")
    assert folder == f"masked/{told['sessionId']}"
    assert name.startswith(told["recordingId"] + "_20")
    assert name.endswith("Z.mp3")
    store = S3Store(
        customer.s3.bucket, endpoint=customer.s3.endpoint, region="us-east-1", access_key_id=KEY_ID,
        secret_access_key=SECRET, client_options={"allow_http": True},
    )  # fmt: skip
    assert is_mp3(bytes(obstore.get(store, told["filePath"].lstrip("/")).bytes()))


@pytest.mark.row("8x8:9/enable", "8x8:9/protocol", "8x8:9/file", "8x8:9/query")
async def test_a_sessions_recording_reaches_the_customers_sftp_server(customer: Customer) -> None:
    sftp = customer.sftp
    shown = await customer.ask(
        "POST", "/recording-push-config",
        {
            "protocol": "SFTP", "host": "127.0.0.1", "port": sftp.port, "username": sftp.user, "path": str(sftp.files),
            "privateKey": (sftp.folder / "client_key").read_text(),
        },
    )  # fmt: skip
    assert shown["privateKeySet"] is True
    await customer.talk(customer.rig.caller)
    told = await customer.uploaded()
    found = await customer.recording(told["sessionId"], "CALLBACK_COMPLETED")
    assert found["externalFileUrl"] == f"sftp://127.0.0.1:{sftp.port}{told['filePath']}"
    (file,) = (sftp.files / told["sessionId"]).iterdir()
    assert str(file) == told["filePath"]
    assert is_mp3(file.read_bytes())
