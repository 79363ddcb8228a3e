"""Maskline: self-hosted number masking.

Two people talk through a virtual number and neither ever learns the other's real number.
Start reading at `app.py` (how the parts are put together) or `engine/call.py` (what a masked call is).
"""

__version__ = "0.1.0"
