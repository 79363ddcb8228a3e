"""Recordings: from the spool of a call to a file that people can hear, sealed here or pushed elsewhere.

`track.py` places packets in time, `convert.py` writes WAV and MP3, `vault.py` is the sealed file, `push.py` brings it
to S3-compatible storage or SFTP, `job.py` says what one job is; `__main__.py` does one job in a process of its own.
What is not here: which recordings there are (storage) and who hears of them (workflows).
"""
