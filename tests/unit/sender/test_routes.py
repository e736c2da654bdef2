"""Which relay: by recipient, by list, by weight, and who steps in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy
from services.sender.routes import Routes, Way, apart, matches, parts

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


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.booleans())
def test_parts_are_the_whole(keys: list[str], numbered: bool) -> None:
    """The parts of a chunk have each of its people once, with their addresses and numbers, and
    the age of its first attempt."""
    size = len(keys)
    chunk = ChunkQueued(
        mail_id="m",
        list="l",
        chunk="7r1",
        first=0 if numbered else 100,
        people=tuple(f"p{n}" for n in range(size)),
        addresses=tuple(f"a{n}@{key}.example" for n, key in enumerate(keys)),
        numbers=tuple(range(100, 100 + size)) if numbered else (),
        last=True,
        attempt=1,
        copy=Copy(
            raw=RawRef(mail_id="m", size=1, head=1, chunks=1, sha256="x"),
            list="l",
            list_address="l@example.org",
            bounces=("", ""),
            post=1,
        ),
    )
    queued = datetime(2026, 11, 20, tzinfo=UTC)
    made = parts(chunk, apart(keys, range(size)), queued)
    assert [part.chunk for part in made] == [f"7r1s{n}" for n in range(len(set(keys)))]
    assert all(len({address.partition("@")[2] for address in part.addresses}) == 1 for part in made)
    rows = {
        row for part in made for row in zip(part.people, part.addresses, part.numbers, strict=True)
    }
    assert rows == {(f"p{n}", f"a{n}@{key}.example", 100 + n) for n, key in enumerate(keys)}
    assert sum(len(part.people) for part in made) == size
    assert {(part.attempt, part.since) for part in made} == {(1, queued)}
