"""`/recording-push-config` and `/recordings/{sessionId}`."""

from __future__ import annotations

import ipaddress
import uuid

import asyncssh
import pytest

from maskline.masking.recording import Recording, RecordingStatus
from maskline.net.guard import AddressGuard
from maskline.storage.store import Delivery, OutboxRow
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.recording_status import STATUSES
from maskline.workflows.uploaded_outbox import uploaded_row_id
from tests.support.eight_api import RIDES, EightApi
from tests.support.recordings import recording
from tests.support.store_values import call_facts, outbox_row, recorded_call

pytestmark = pytest.mark.usefixtures("each_store")

S3 = {
    "protocol": "S3", "host": "ap-southeast-1", "port": 443, "username": "AKIA", "password": "s3cret",
    "path": "recordings/masked",
}  # fmt: skip
SFTP = {"protocol": "sftp", "host": "203.0.112.7", "username": "u", "password": "pa55word", "path": "/in"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfG1Y0k5cVqZs1Xb0b0m1m5Zl1v8X9v5J4bq1h4l2R"
CONFIG = "/recording-push-config"
LINKS = RecordingLinks(b"k" * 32, "https://masking.example", 600.0)


def refused(answer):
    status, body = answer
    assert uuid.UUID(body.pop("errorId"))
    assert body.pop("timestamp").endswith("Z")
    return status, body["statusCode"], body["statusMessage"]


@pytest.mark.row("8x8:9/enable", "8x8:8/recording-push-config")
async def test_a_configuration_is_set_shown_without_its_password_replaced_and_removed():
    api = await EightApi().start()
    assert refused(await api.ask("GET", CONFIG))[:2] == (404, "404")
    shown = {
        "protocol": "S3", "host": "ap-southeast-1", "port": 443, "username": "AKIA", "path": "recordings/masked",
        "passwordSet": True, "privateKeySet": False, "statusCode": 0, "statusMessage": "ok",
    }  # fmt: skip
    assert await api.ask("POST", CONFIG, json=S3) == (200, shown)
    assert await api.ask("GET", CONFIG) == (200, shown)
    status, body = await api.ask("POST", CONFIG, json=SFTP)
    assert (status, body["protocol"], body["port"], body["path"]) == (200, "SFTP", 22, "/in")
    stored = await api.store.push_config(api.acme.id)
    assert (stored.password, stored.changed_at) == ("pa55word", api.clock.wall())
    assert await api.store.push_config(api.rides.id) is None
    assert await api.ask("DELETE", CONFIG) == (200, {**body, "statusMessage": "deleted"})
    assert refused(await api.ask("DELETE", CONFIG))[:2] == (404, "404")


async def test_a_private_key_stands_for_a_password():
    api = await EightApi().start()
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    _, body = await api.ask("POST", CONFIG, json={**SFTP, "password": None, "privateKey": key})
    assert (body["passwordSet"], body["privateKeySet"]) == (False, True)
    assert "BEGIN" not in str(body)


@pytest.mark.row("8x8:9/protocol", "8x8:13/C22")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"protocol": "ftp"}, "protocol"), ({"protocol": None}, "protocol"), ({"host": ""}, "host"),
        ({"host": "s3.example/x"}, "host"), ({"port": 25}, "port"), ({"port": 70_000}, "port"),
        ({"port": "22"}, "port"),
        ({"port": True}, "port"), ({"username": ""}, "username"), ({"username": "a\nb"}, "username"),
        ({"password": None}, "password"), ({"password": 5}, "password"), ({"password": "x" * 20_000}, "password"),
        ({"path": ""}, "path"), ({"path": "Bad_Bucket/x"}, "path"), ({"path": "bucket/../x"}, "path"),
    ],
)  # fmt: skip
async def test_a_wrong_value_for_s3_is_422(change, word):
    api = await EightApi().start()
    status, number, sentence = refused(await api.ask("POST", CONFIG, json=S3 | change))
    assert (status, number) == (422, "1001")
    assert word in sentence
    assert await api.store.push_config(api.acme.id) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"host": "two hosts"}, "host"), ({"host": "files.example\n"}, "host"),
        ({"privateKey": "too"}, "password"), ({"password": ""}, "password"),
        ({"path": "a/../../etc"}, "path"), ({"path": "x" * 600}, "path"),
        ({"password": None, "privateKey": "junk"}, "privateKey"),
        ({"password": None, "privateKey": PUBLIC_KEY}, "privateKey"),
        ({"host": "10.0.0.5"}, "MASKLINE_EGRESS_ALLOW"), ({"host": "127.0.0.1"}, "host"), ({"host": "::1"}, "host"),
        ({"host": "169.254.169.254"}, "host"), ({"host": "fe80::1"}, "host"), ({"host": "::ffff:10.0.0.5"}, "host"),
    ],
)  # fmt: skip
async def test_a_wrong_value_for_sftp_is_422(change, word):
    api = await EightApi().start()
    status, number, sentence = refused(await api.ask("POST", CONFIG, json=SFTP | change))
    assert (status, number) == (422, "1001")
    assert word in sentence


async def test_an_sftp_server_inside_is_taken_where_the_operator_opened_its_network():
    api = await EightApi().start(guard=AddressGuard([ipaddress.ip_network("10.0.0.0/8")]))
    assert (await api.ask("POST", CONFIG, json=SFTP | {"host": "10.0.0.5"}))[0] == 200
    assert (await api.ask("POST", CONFIG, json=SFTP | {"host": "192.168.0.5"}))[0] == 422


class Made(EightApi):
    """A recording of a call, in whatever state."""

    async def made(self, **changes: object) -> Recording:
        one = recording(account_id=self.acme.id, session_id="", spool="", **changes)
        facts = call_facts(one.call_id)
        await self.store.commit_calls(
            [recorded_call(one.call_id, facts=facts, account_id=self.acme.id, record=None, outbox=(), recording=one)]
        )
        return one

    async def told(self, state: str) -> None:
        """What became of the webhook about it."""
        row: OutboxRow = outbox_row(uploaded_row_id("rec-1"), account_id=self.acme.id)
        await self.store.announce([row])
        if state != "due":
            await self.store.lease_outbox("me", now=2e9, until=2e9 + 9, limit=5)
            await self.store.finish_outbox("me", [Delivery(row.id, state, 2e9)], now=2e9)

    async def status(self) -> str:
        (shown,) = (await self.ask("GET", "/recordings/call-1"))[1]["recordings"]
        return shown["status"]


DONE = {"status": RecordingStatus.COMPLETED, "duration_ms": 12_500, "pushed": "s3://recordings/masked/call-1/rec-1.mp3"}


@pytest.mark.row("8x8:9/query", "8x8:8/GET-recordings")
async def test_the_recordings_of_a_session_are_listed_with_where_they_are():
    api = await Made().start()
    one = await api.made(**DONE)
    shown = {
        "recordingId": "rec-1", "sessionId": "call-1", "subAccountId": api.acme.id, "status": "UPLOAD_COMPLETED",
        "duration": 13, "startRecordingTime": iso_milliseconds(one.started_at), "externalFileUrl": DONE["pushed"],
    }  # fmt: skip
    assert await api.ask("GET", "/recordings/call-1") == (
        200, {"recordings": [shown], "statusCode": 0, "statusMessage": "ok"},
    )  # fmt: skip
    assert (await api.ask("GET", "/recordings/call-9"))[1]["recordings"] == []
    api.path = f"/api/v1/subaccounts/{RIDES}"
    assert (await api.ask("GET", "/recordings/call-1"))[1]["recordings"] == []


@pytest.mark.row("8x8:2/ids")
@pytest.mark.parametrize(
    "session",
    [
        "37f31065-b050-11ea-aed2-b9458c490aa3",  # version 1, as most of the vendor's samples
        "eb0fc709-9693-11ea-454d-1705dde98182",  # of a sample too, and no variant that there is
        "5c1e1f2e-0000-4000-8000-000000000001",
    ],
)
async def test_a_session_is_found_by_its_id_whatever_version_or_variant_that_has(session):
    api = await Made().start()
    await api.made(**DONE, call_id=session)
    status, body = await api.ask("GET", f"/recordings/{session}")
    assert (status, [one["sessionId"] for one in body["recordings"]]) == (200, [session])


@pytest.mark.row("8x8:9/status")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": RecordingStatus.RECORDING}, "PROCESSING"),
        ({"status": RecordingStatus.STOPPED, "error": "once more"}, "PROCESSING"),
        ({"status": RecordingStatus.PROCESSING}, "PROCESSING"),
        ({"status": RecordingStatus.FAILED, "error": "no audio"}, "PROCESSING_FAILED"),
        ({"status": RecordingStatus.FAILED, "error": "not taken", "upload_failed": True}, "UPLOAD_FAILED"),
        (DONE, "UPLOAD_COMPLETED"),
        ({"status": RecordingStatus.DELETED}, "UNKNOWN"),
    ],
)
async def test_each_state_has_the_vendors_word(changes, status):
    api = await Made().start()
    await api.made(**changes)
    assert await api.status() == status
    assert status in STATUSES


@pytest.mark.row("8x8:9/status")
@pytest.mark.parametrize(
    ("state", "status"),
    [("due", "UPLOAD_COMPLETED"), ("done", "CALLBACK_COMPLETED"), ("failed", "CALLBACK_FAILED")],
)
async def test_an_upload_is_told_further_by_what_became_of_its_webhook(state, status):
    api = await Made().start()
    await api.made(**DONE)
    await api.told(state)
    assert await api.status() == status


async def test_a_file_that_is_kept_here_has_a_signed_link_and_one_that_is_not_there_has_none():
    api = await Made().start(links=LINKS)
    await api.made(status=RecordingStatus.COMPLETED, file="2023-11-14/rec-1.mp3")
    await api.made(recording_id="rec-2", call_id="call-2", status=RecordingStatus.PROCESSING)
    (here,) = (await api.ask("GET", "/recordings/call-1"))[1]["recordings"]
    (not_yet,) = (await api.ask("GET", "/recordings/call-2"))[1]["recordings"]
    assert here["externalFileUrl"].startswith("http://api.test/recordings/rec-1.mp3?expires=")
    assert "externalFileUrl" not in not_yet
