"""What the 8x8 API stands on, in memory: bearer keys, where recordings are pushed, exports of calls.

What it is: these methods of the protocol on dictionaries. What it is not: accounts (`memory_configuration.py`). Who
builds on it: `memory_log.py`.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.errors import Conflict, NotFound
from maskline.storage.kept import ApiKey, ExportJob, PushConfig
from maskline.storage.memory_configuration import MemoryConfiguration
from maskline.storage.store import NO_EXPORT, NO_KEY, NO_PUSH_CONFIG

_NOT_DONE = ("queued", "running")


class MemoryKept(MemoryConfiguration):
    """See `maskline.storage.kept_store`."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, ApiKey] = {}
        self._push_configs: dict[str, PushConfig] = {}
        self._exports: dict[str, ExportJob] = {}
        self._exporters: dict[str, tuple[str, float]] = {}
        """Export → who makes it, and until when it is nobody else's."""

    # -- accounts ------------------------------------------------------------------------------------------------
    def _forget_belongings(self, account_id: str) -> None:
        super()._forget_belongings(account_id)
        self._keys = {text: key for text, key in self._keys.items() if key.account_id != account_id}
        self._push_configs.pop(account_id, None)

    # -- bearer keys ---------------------------------------------------------------------------------------------
    async def add_api_key(self, key: ApiKey, text: str) -> None:
        await self.account(key.account_id)
        if text in self._keys or any(other.id == key.id for other in self._keys.values()):
            raise Conflict("This key exists already.")
        self._keys[text] = key
        self._configuration += 1

    async def api_key(self, text: str) -> ApiKey | None:
        return self._keys.get(text)

    async def api_keys(self, account_id: str) -> list[ApiKey]:
        wanted = [key for key in self._keys.values() if key.account_id == account_id]
        return sorted(wanted, key=lambda key: (key.created_at, key.id))

    async def set_api_key_enabled(self, account_id: str, key_id: str, enabled: bool) -> None:
        text = self._text_of_key(account_id, key_id)
        self._keys[text] = replace(self._keys[text], enabled=enabled)
        self._configuration += 1

    async def remove_api_key(self, account_id: str, key_id: str) -> None:
        del self._keys[self._text_of_key(account_id, key_id)]
        self._configuration += 1

    def _text_of_key(self, account_id: str, key_id: str) -> str:
        for text, key in self._keys.items():
            if (key.account_id, key.id) == (account_id, key_id):
                return text
        raise NotFound(NO_KEY)

    # -- where recordings go -------------------------------------------------------------------------------------
    async def set_push_config(self, config: PushConfig) -> None:
        await self.account(config.account_id)
        self._push_configs[config.account_id] = config
        self._configuration += 1

    async def push_config(self, account_id: str) -> PushConfig | None:
        return self._push_configs.get(account_id)

    async def keep_host_key(self, account_id: str, changed_at: float, host_key: str) -> None:
        config = self._push_configs.get(account_id)
        if config is not None and config.changed_at == changed_at:
            self._push_configs[account_id] = replace(config, host_key=host_key)

    async def remove_push_config(self, account_id: str) -> None:
        if self._push_configs.pop(account_id, None) is None:
            raise NotFound(NO_PUSH_CONFIG)
        self._configuration += 1

    # -- exports -------------------------------------------------------------------------------------------------
    async def add_export(self, job: ExportJob) -> None:
        await self.account(job.account_id)
        self._exports[job.id] = job

    async def export(self, account_id: str, job_id: str) -> ExportJob:
        job = await self.export_of_link(job_id)
        if job.account_id != account_id:
            raise NotFound(NO_EXPORT)
        return job

    async def export_of_link(self, job_id: str) -> ExportJob:
        if job_id not in self._exports:
            raise NotFound(NO_EXPORT)
        return self._exports[job_id]

    async def count_exports(self, account_id: str) -> int:
        waiting = (job for job in self._exports.values() if job.status in ("queued", "running"))
        return sum(job.account_id == account_id for job in waiting)

    async def lease_export(self, owner: str, *, now: float, until: float) -> ExportJob | None:
        waiting = [
            job for job in self._exports.values()
            if job.status in _NOT_DONE and self._exporters.get(job.id, ("", 0.0))[1] <= now
        ]  # fmt: skip
        if not waiting:
            return None
        first = min(waiting, key=lambda job: (job.created_at, job.id))
        leased = self._exports[first.id] = replace(first, status="running")
        self._exporters[first.id] = (owner, until)
        return leased

    async def renew_export(self, owner: str, job_id: str, *, now: float, until: float) -> bool:
        if not self._makes(owner, job_id):
            return False
        self._exporters[job_id] = (owner, until)
        return True

    async def finish_export(self, owner: str, job_id: str, status: str, size: int = 0) -> bool:
        if not self._makes(owner, job_id):
            return False
        self._exports[job_id] = replace(self._exports[job_id], status=status, size=size)
        del self._exporters[job_id]
        return True

    async def free_exports(self, owner: str | None) -> int:
        left = [job_id for job_id, (maker, _) in self._exporters.items() if owner in (None, maker)]
        for job_id in left:
            self._exports[job_id] = replace(self._exports[job_id], status="queued")
            del self._exporters[job_id]
        return len(left)

    async def cancel_export(self, job_id: str) -> bool:
        job = self._exports.get(job_id)
        if job is None or job.status not in _NOT_DONE:
            return False
        self._exports[job_id] = replace(job, status="cancelled")
        self._exporters.pop(job_id, None)
        return True

    def _makes(self, owner: str, job_id: str) -> bool:
        return self._exporters.get(job_id, ("", 0.0))[0] == owner

    async def exports_over(self, now: float, limit: int) -> list[ExportJob]:
        return [job for job in self._exports.values() if job.expires_at <= now][:limit]

    async def remove_export(self, job_id: str) -> None:
        self._exports.pop(job_id, None)
        self._exporters.pop(job_id, None)
