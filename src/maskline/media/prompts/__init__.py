"""Prompts: from a URL, a text or a tone to a clip that a media driver can play.

`store.py` answers who asks, from `files.py` or by making it: `fetch.py` downloads, `convert.py` runs `decode.py` in a
process of its own, `tones.py` computes; texts are spoken by `media/speech`. `build.py` puts a store together. What is
not here: when something is heard (the engine).
"""
