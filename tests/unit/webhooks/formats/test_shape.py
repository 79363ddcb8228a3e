"""What an endpoint's options come to."""

from __future__ import annotations

import pytest

from maskline.webhooks.formats.shape import Generation, Shape, read_shape


def test_without_options_bodies_are_the_vendors_of_today():
    assert read_shape("sub", {}) == Shape("sub")
    assert Shape("sub").generation is Generation.G3


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"generation": "g2"}, {"generation": Generation.G2, "data_as_text": True}),
        ({"generation": "g3v5"}, {"generation": Generation.G3V5}),
        ({"generation": "g9"}, {}),
        ({"event_data": "string"}, {"data_as_text": True}),
        ({"event_data": "map"}, {}),
        ({"updates": "on"}, {"updates": True}),
        ({"updates": "off"}, {}),
        ({"case": "upper", "direction": "int"}, {"upper": True, "direction_as_int": True}),
        ({"case": "title", "direction": "word"}, {}),
        ({"of a later version": "x"}, {}),
    ],
)
@pytest.mark.row("8x8:2/generations", "8x8:13/C6")
def test_each_option_says_one_thing_and_an_unknown_one_nothing(options, changes):
    assert read_shape("sub", options) == Shape("sub", **changes)
