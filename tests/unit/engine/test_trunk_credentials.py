"""engine.trunk_credentials: where a trunk's password may be shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine.trunk_credentials import credentials_for, credentials_of
from maskline.masking.trunk import Trunk
from maskline.sip.flow import Flow

TRUNK = Trunk("t", "carrier", None, "192.0.2.1", 5070, username="us", password="s3cret", realm="r")
HERE = Flow("udp", "192.0.2.1", 5070)


def test_a_trunk_without_password_has_nothing_to_show() -> None:
    bare = replace(TRUNK, password="")
    assert (credentials_for(bare, HERE), credentials_of(bare, HERE)) == (None, None)


def test_a_call_we_send_is_proved_where_it_goes_and_nowhere_else() -> None:
    found = credentials_for(TRUNK, HERE)
    assert found is not None and (found.username, found.realm, found.places) == ("us", "r", (HERE,))


def test_a_redirect_to_a_port_that_is_not_the_trunks_is_followed_without_proof() -> None:
    assert credentials_for(TRUNK, HERE._replace(port=5071)) is None
    located = credentials_for(replace(TRUNK, host="carrier.example", port=0), HERE)
    assert located is not None and located.places == (HERE,)


@pytest.mark.parametrize(
    ("flow", "port", "places"),
    [
        (HERE, 5070, (HERE,)),
        (HERE._replace(port=40_000), 5070, (HERE._replace(port=40_000), HERE)),
        (
            Flow("tls", "192.0.2.1", 40_000, "n"),
            0,
            (Flow("tls", "192.0.2.1", 40_000, "n"), Flow("tls", "192.0.2.1", 5061, "n")),
        ),
    ],
)
def test_a_call_that_came_is_proved_where_it_came_from_and_where_the_trunk_listens(
    flow: Flow, port: int, places: tuple[Flow, ...]
) -> None:
    found = credentials_of(replace(TRUNK, port=port), flow)
    assert found is not None and found.places == places
