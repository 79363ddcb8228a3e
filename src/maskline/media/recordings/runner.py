"""Starts the process of one job and waits for its result.

What it is: the asyncio side. What it is not: which job comes next, or what follows from its result
(`workflows/process_recordings.py`). Who uses it: the workflow.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import maskline
from maskline.media.recordings.job import Done, Job, done_from_json, job_to_json

_COMMAND = (sys.executable, "-m", "maskline.media.recordings")


async def run_job(job: Job, limit: float) -> Done:
    """The result; a process that ends without one, or takes longer than `limit` seconds, is a failure to be tried
    again. Cancelled: the process is killed, and what it began is done again by the next."""
    # It must run this very code, also from a checkout that nobody installed.
    paths = [str(Path(maskline.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(limit):
            output, _ = await process.communicate(job_to_json(job).encode())
    except TimeoutError:
        return Done(error=f"Making the file took longer than {limit:.0f} s.")
    finally:
        await _end(process)
    try:
        return done_from_json(output.decode())
    except (ValueError, TypeError):
        return Done(error=f"The converter ended without a result ({process.returncode}).")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
