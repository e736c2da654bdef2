"""Which relay: by recipient, by list, by weight, and who steps in."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.sender.routes import Routes, Way, matches

WAYS = (
    Way("one", weight=3),
    Way("two"),
    Way("spare", weight=0),
    Way("google", domains=("gmail.com", "*.google.example")),
    Way("also", domains=("gmail.com",)),
)
ROUTES = Routes(WAYS, {"own.example.org": "two"})
NAMES = [way.name for way in WAYS]


def works(*names: str) -> set[str]:
    """The relays that work."""
    return set(names)


def choice(domain: str, key: str, up: set[str] | None = None, lists: str = "example.org") -> str:
    """The relay of a recipient of this domain."""
    up = set(NAMES) if up is None else up
    return ROUTES.of(lists, [domain], key, up.__contains__)[0]


def test_by_the_recipients_domain() -> None:
    """A relay with `domains` gets these recipients, whatever the list, and no others."""
    keys = [str(n) for n in range(200)]
    assert {choice("gmail.com", key) for key in keys} == {"google", "also"}
    assert {choice("a.google.example", key) for key in keys} == {"google"}
    assert {choice("gmail.com", key, lists="own.example.org") for key in keys} == {"google", "also"}
    assert {choice("google.example", key) for key in keys} == {"one", "two"}


def test_by_the_lists_domain() -> None:
    """A list's domain may name its relay; everybody else's copies go by weight."""
    assert {choice("x.example", str(n), lists="own.example.org") for n in range(50)} == {"two"}


def test_by_weight() -> None:
    """Each relay gets its share of the chunks; one of weight 0 nothing while another works."""
    got = Counter(choice("x.example", f"mail.{n}") for n in range(4000))
    assert set(got) == {"one", "two"}
    assert 2.6 < got["one"] / got["two"] < 3.4


@given(
    st.text(max_size=20),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(["x.example", "gmail.com"]),
)
def test_passing_over(key: str, up: set[str], domain: str) -> None:
    """The choice is the same each time; it works where any works; a relay that fails moves no
    chunk but its own; where none works, the first choice is waited for."""
    first = choice(domain, key)
    chosen = choice(domain, key, up)
    assert chosen == choice(domain, key, up)
    possible = {"google", "also"} if domain == "gmail.com" else {"one", "two", "spare"}
    assert chosen in possible
    if up & possible:
        assert chosen in up
    if first in up or not up & possible:
        assert chosen == first


def test_a_relay_alone() -> None:
    """Where there is one relay, it gets everything, working or not."""
    routes = Routes([Way("only", weight=0)], {})
    assert routes.of("l.example", ["a.example", "b.example"], "0", lambda _: False) == ["only"] * 2


def test_patterns() -> None:
    """A pattern is a whole domain, or everything below one."""
    assert matches(("example.org",), "example.org")
    assert not matches(("example.org",), "a.example.org")
    assert not matches(("*.example.org",), "example.org")
    assert matches(("x.example", "*.example.org"), "a.b.example.org")
    assert not matches(("*.example.org",), "badexample.org")
