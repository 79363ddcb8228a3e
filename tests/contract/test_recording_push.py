"""Recordings pushed to foreign servers: moto's S3 and Debian's OpenSSH."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import obstore
import pytest
from obstore.store import S3Store

from maskline.media.recordings.job import Destination
from maskline.media.recordings.push import PushFailed, push
from maskline.storage.kept import PushConfig
from maskline.workflows.push_destination import sftp_destination
from tests.support.loop_thread import LoopThread
from tests.support.s3_server import KEY_ID, SECRET, S3Server
from tests.support.sftp_server import SftpServer

CONTENT = b"audio" * 100_000


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    server = SftpServer(tmp_path_factory.mktemp("sftp"))
    yield server
    server.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rec.mp3"
    path.write_bytes(CONTENT)
    return path


def bucket(s3: S3Server) -> Destination:
    return Destination(
        "s3", "calls", bucket=s3.bucket, endpoint=s3.endpoint, region="us-east-1", key_id=KEY_ID, secret=SECRET
    )


def login(sftp: SftpServer) -> Destination:
    return Destination(
        "sftp", str(sftp.files), host="127.0.0.1", port=sftp.port, username=sftp.user,
        key_file=str(sftp.folder / "client_key"), known_hosts=str(sftp.folder / "known_hosts"),
    )  # fmt: skip


class TestS3:
    def test_the_object_is_there_with_its_type_and_a_repeat_replaces_it(self, s3: S3Server, file: Path) -> None:
        for _ in range(2):
            pushed = push(file, "2026-11-22/call/rec.mp3", bucket(s3))
            assert pushed == (len(CONTENT), f"s3://{s3.bucket}/calls/2026-11-22/call/rec.mp3", "")
        store = S3Store(
            s3.bucket, endpoint=s3.endpoint, region="us-east-1", access_key_id=KEY_ID, secret_access_key=SECRET,
            client_options={"allow_http": True},
        )  # fmt: skip
        found = obstore.get(store, "calls/2026-11-22/call/rec.mp3")
        assert found.bytes() == CONTENT
        assert found.attributes["Content-Type"] == "audio/mpeg"

    def test_a_bucket_that_is_not_there_is_a_failure_without_secrets(self, s3: S3Server, file: Path) -> None:
        with pytest.raises(PushFailed) as raised:
            push(file, "rec.mp3", replace(bucket(s3), bucket="nobody", prefix=""))
        assert "S3" in str(raised.value)
        assert SECRET not in str(raised.value)


class Passwords(asyncssh.SSHServer):
    """Debian's sshd asks PAM about passwords, which would need a user of this machine: this one knows one by heart."""

    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("u", "pa55word")


async def _listen(key: asyncssh.SSHKey, folder: Path) -> asyncssh.SSHAcceptor:
    return await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Passwords, server_host_keys=[key],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder)),
    )  # fmt: skip


class TestSftpByPassword:
    def test_a_password_opens_the_server_and_a_wrong_one_is_said(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        loop = LoopThread("sftp")
        try:
            key = asyncssh.generate_private_key("ssh-ed25519")
            server = loop.run(_listen(key, tmp_path / "in"))
            config = PushConfig("MA", "SFTP", "files.example", server.get_port(), "u", "/calls", "pa55word")
            pushed = push(file, "call/rec.mp3", sftp_destination(config, "127.0.0.1"))
            assert (tmp_path / "in" / "calls" / "call" / "rec.mp3").read_bytes() == CONTENT
            assert pushed.url == f"sftp://files.example:{server.get_port()}/calls/call/rec.mp3"
            assert pushed.host_key == key.export_public_key().decode().strip()
            with pytest.raises(PushFailed, match="refuses the user"):
                push(file, "rec.mp3", sftp_destination(replace(config, password="wrong"), "127.0.0.1"))
            server.close()
        finally:
            loop.close()


class TestSftp:
    def test_the_file_is_there_whole_and_a_repeat_replaces_it(self, sftp: SftpServer, file: Path) -> None:
        for _ in range(2):
            pushed = push(file, "2026-11-22/call/rec.mp3", login(sftp))
        assert pushed.url == f"sftp://127.0.0.1:{sftp.port}/{str(sftp.files).lstrip('/')}/2026-11-22/call/rec.mp3"
        folder = sftp.files / "2026-11-22" / "call"
        assert [path.name for path in folder.iterdir()] == ["rec.mp3"]
        assert (folder / "rec.mp3").read_bytes() == CONTENT

    def test_a_server_with_another_key_gets_nothing(self, sftp: SftpServer, file: Path) -> None:
        with pytest.raises(PushFailed, match="host key"):
            push(file, "other/rec.mp3", replace(login(sftp), known_hosts=str(sftp.folder / "wrong_hosts")))
        assert not (sftp.files / "other").exists()

    def test_a_server_is_taken_as_it_was_met_first_and_refused_when_it_is_another(
        self, sftp: SftpServer, file: Path
    ) -> None:
        private_key = (sftp.folder / "client_key").read_text()
        met = replace(login(sftp), key_file="", known_hosts="", private_key=private_key, trust_first=True)
        pushed = push(file, "first/rec.mp3", replace(met, shown_host="files.example"))
        assert pushed.url.startswith(f"sftp://files.example:{sftp.port}/")
        assert pushed.host_key.split()[:2] == (sftp.folder / "host_key.pub").read_text().split()[:2]
        again = push(file, "first/rec.mp3", replace(met, host_key=pushed.host_key))
        assert again.host_key == pushed.host_key
        other = (sftp.folder / "other_host_key.pub").read_text().strip()
        with pytest.raises(PushFailed, match="at the first upload"):
            push(file, "other/rec.mp3", replace(met, host_key=other))
        assert not (sftp.files / "other").exists()

    def test_a_private_key_that_is_none_is_said_without_it(self, sftp: SftpServer, file: Path) -> None:
        wrong = replace(login(sftp), key_file="", private_key="-----BEGIN NOTHING-----")
        with pytest.raises(PushFailed, match="private key") as raised:
            push(file, "rec.mp3", wrong)
        assert "NOTHING" not in str(raised.value)

    def test_a_key_that_may_not_log_in_is_said(self, sftp: SftpServer, file: Path) -> None:
        with pytest.raises(PushFailed, match="refuses the user"):
            push(file, "rec.mp3", replace(login(sftp), key_file=str(sftp.folder / "stranger_key")))

    def test_a_folder_that_cannot_be_written_is_a_failure(self, sftp: SftpServer, file: Path) -> None:
        with pytest.raises(PushFailed, match="did not take"):
            push(file, "rec.mp3", replace(login(sftp), prefix="/proc/none"))
