"""A pickle is a program; ours is read as data or not at all."""

from __future__ import annotations

import contextlib
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.mailman import pickles
from postroad.cli.mailman.form import Unreadable

CONFIG = Path(__file__).parents[2] / "golden" / "mailman2" / "config.pck"
RAN: list[str] = []
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**90), 10**90) | st.floats(allow_nan=False)
    | st.text()
)  # fmt: skip
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def run(what: str) -> None:
    """What a hostile pickle would call."""
    RAN.append(what)


class Hostile:
    """Python's own loader calls `run` for it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return run, ("anything",)


@given(PLAIN, st.integers(0, 5))
def test_plain_data_is_read_as_it_was_written(data: object, protocol: int) -> None:
    """Of every protocol, whatever is made of dicts, lists, tuples, texts and numbers."""
    assert pickles.load(pickle.dumps(data, protocol)) == data


@given(st.binary(max_size=300))
def test_no_file_is_more_than_unreadable(data: bytes) -> None:
    """Anything at all is data or refused by our own error."""
    with contextlib.suppress(Unreadable):
        pickles.load(data)


@given(st.integers(0, 4_735), st.integers(0, 255))
def test_one_wrong_octet_in_a_real_file(at: int, octet: int) -> None:
    """The same of a real file that is damaged."""
    data = bytearray(CONFIG.read_bytes())
    data[at % len(data)] = octet
    with contextlib.suppress(Unreadable):
        pickles.load(bytes(data))


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_called(protocol: int) -> None:
    """A pickle that names a function is refused, whatever the protocol, and nothing ran."""
    with pytest.raises(Unreadable, match="names"):
        pickles.load(pickle.dumps({"members": Hostile()}, protocol))
    assert RAN == []


@pytest.mark.parametrize(
    "hostile",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"cMailman.Bouncer\n_BounceInfo\n(S'x'\ntR.",  # even a known class is not called
        b"cMailman.Bouncer\n__builtins__\n.",
        b"cMailman.Bouncer\n_BounceInfo.__init__\n.",
        b"\x80\x02\x82\x01.",  # by number, from the registry of extensions
        b"P1\n.",  # a persistent id
        b"}(]K\x01u.",  # a list as a key
        b"}(K\x01K\x01u.",  # numbers can be made of one hash
        b"cMailman.Bouncer\n_BounceInfo\n}b.",  # changes the class
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # asks for more than there is
        b"I" + b"9" * 1_000_000 + b"\n.",
        b"(" * 1_000_000 + b".",
        b"]" * 100_000 + b"a" * 99_999 + b"",
        b"",
        b".",
        b"a.",
        b"h\x01.",
    ],
)
def test_what_data_never_needs_is_refused(hostile: bytes) -> None:
    """Calls, unknown names, registries, wrong uses of an instruction, and files that end early."""
    with pytest.raises(Unreadable):
        pickles.load(hostile)


def test_a_far_place_costs_nothing() -> None:
    """Python's own reader takes 32 GB for this."""
    assert pickles.load(b"]r\xff\xff\xff\xff.") == []


def test_lists_in_lists_need_no_depth() -> None:
    """A hundred thousand lists inside each other are read without recursion."""
    deep = 100_000
    data: Any = pickles.load(b"]" * deep + b"a" * (deep - 1) + b".")
    assert deep > sys.getrecursionlimit()
    while data:
        (data,) = data


def test_a_real_file() -> None:
    """What Python 2.7 wrote: texts as octets, the record of a bounce as its attributes."""
    config: Any = pickles.load(CONFIG.read_bytes())
    assert config[b"real_name"] == b"Staff"
    assert config[b"usernames"][b"ben@example.net"] == "Bén Ö"
    assert math.isclose(config[b"bounce_info"][b"dora@example.org"].attributes[b"score"], 5.0)
