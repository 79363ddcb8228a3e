"""Links to recordings: where the API shows one, and a signed link under which anybody may fetch the file for a while.

What it is: making and checking. What it is not: the download (`api/recordings.py`). Who uses it: webhooks, the Plivo
dialect, the download. A link names the recording, its format and the second until which it holds, and nothing else: no
account, no credential. Changing any of it makes the signature wrong; whoever has the link has the file, as with every
link of this kind, so it should be short-lived (MASKLINE_RECORDING_LINK_TIME).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from math import floor


class RecordingLinks:
    """`key`: derived for this purpose alone; `base_url`: scheme and host under which customers reach the API;
    `validity`: seconds; `place`: the path below which files are served, one for each key."""

    __slots__ = ("_base_url", "_key", "_place", "_validity")

    def __init__(self, key: bytes, base_url: str, validity: float, place: str = "recordings") -> None:
        self._key = key
        self._place = place
        self._base_url = base_url
        self._validity = validity

    def resource(self, account_id: str, recording_id: str, base_url: str = "") -> str:
        """Where the API shows it, to who has the account's credentials."""
        return f"{base_url or self._base_url}/v1/Account/{account_id}/Recording/{recording_id}/"

    def download(self, recording_id: str, file_format: str, now: float, base_url: str = "") -> str:
        """The file, from wall second `now` for as long as links hold."""
        return self.until(floor(now + self._validity), recording_id, file_format, base_url)

    def until(self, expires: int, recording_id: str, file_format: str, base_url: str = "") -> str:
        """The same up to a wall second."""
        signature = self._sign(recording_id, file_format, expires)
        base = base_url or self._base_url
        return f"{base}/{self._place}/{recording_id}.{file_format}?expires={expires}&signature={signature}"

    def is_genuine(self, recording_id: str, file_format: str, expires: int, signature: str) -> bool:
        """Whether we made this link; takes as long for a wrong signature as for a right one."""
        return hmac.compare_digest(self._sign(recording_id, file_format, expires).encode(), signature.encode())

    def _sign(self, recording_id: str, file_format: str, expires: int) -> str:
        message = f"{recording_id}.{file_format}\n{expires}".encode()
        return urlsafe_b64encode(hmac.digest(self._key, message, sha256)).decode().rstrip("=")
