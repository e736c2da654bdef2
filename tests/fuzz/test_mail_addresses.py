"""Properties of addresses and address lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.mail.addresses import match, normalise, parse_address, sub_address, validate
from postroad.mail.mailboxes import parse_mailboxes

# Text that often comes near to an address.
NEAR = st.text(
    st.sampled_from('aAb.@+-"\\<>()[],:; \t\r\n\0=?éßK\u212a\uff20\u0301İ١_%!'), max_size=40
)
ANY = st.one_of(NEAR, st.text(max_size=60), st.builds("{}@{}".format, NEAR, NEAR))
ATOM = st.text(st.sampled_from("abcXYZ019-_=/~"), min_size=1, max_size=10)
SUBS = st.sampled_from(["owner", "bounces", "join", "leave", "confirm", "request"])
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=32)
NAMES = st.builds("x{}y@example.org".format, ATOM)


@given(ANY)
@example("\u0130@\u0130.example")
def test_normal_form_is_final(text: str) -> None:
    """Whatever is an address has one normal form, which is its own, and can be sent to."""
    address = parse_address(text)
    if address is None:
        return
    assert normalise(address.key) == address.key
    assert normalise(str(address)) == address.key
    assert str(address).isprintable()
    assert address.domain.isascii()
    assert len(str(address).encode()) <= 254


@given(ANY)
def test_refusals_are_value_errors(text: str) -> None:
    """No text raises anything but a ValueError with a printable line."""
    for read in (normalise, validate):
        with contextlib.suppress(ValueError):
            read(text)
            continue
        with pytest.raises(ValueError) as refused:
            read(text)
        assert str(refused.value).isprintable()


@given(ANY)
def test_strict_and_wide_reader_agree(text: str) -> None:
    """What the strict grammar takes, the reader of headers takes too, for the same mailbox."""
    address = parse_address(text)
    if address is not None:
        assert [box.address for box in parse_mailboxes(text)[0]] == [address.key]
        assert [box.address for box in parse_mailboxes(f"x <{text}>")[0]] == [address.key]


@given(st.one_of(ANY, st.binary(max_size=80)))
def test_reading_a_list_never_raises(value: str | bytes) -> None:
    """Any octets give mailboxes in normal form, with printable names, or none."""
    mailboxes, odd = parse_mailboxes(value)
    for box in mailboxes:
        assert normalise(box.address) == box.address
        assert box.name.replace("\u200d", "").replace("\u200c", "").isprintable()
    assert all(each.isprintable() for each in odd)


@given(st.lists(NAMES, max_size=5), NEAR)
def test_hostile_neighbour_adds_no_address_before_it(names: list[str], hostile: str) -> None:
    """What stands before a hostile element is read as if that were not there."""
    mailboxes, _ = parse_mailboxes(", ".join([*names, hostile.replace(";", "").replace(":", "")]))
    assert [box.address for box in mailboxes][: len(names)] == [name.lower() for name in names]


@given(NAMES, SUBS, st.sampled_from(["dash", "plus"]), TOKENS)
def test_sub_addresses_are_read_as_written(name: str, sub: str, form: str, token: str) -> None:
    """A generated sub-address means what it was generated for."""
    written = sub_address(name, sub, form, token)  # type: ignore[arg-type]
    found = match(written, {normalise(name): "slug"})
    assert found is not None
    assert (found.slug, found.sub, found.token) == ("slug", sub, token)
