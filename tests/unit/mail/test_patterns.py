"""Patterns of owners: searched in linear time, refused where they cannot be."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import patterns
from postroad.mail.headers import VALUE

# Each takes Python's `re` from minutes to for ever on some of TEXTS, or is as large as RE2 lets
# it be; the bodies of well-known denials of service are among them.
EVIL = (
    *(r"(a+)+$", r"([a-z]+)*$", r"(a|aa)+$", r"(a|a?)+$", r"(.*a){20}$", r"^(a+)+b", r"(a*)*b"),
    *(r"(a*)+$", r"((a+)+)+$", r"(((a*)*)*)*$", r"(x+x+)+y", r"^(([a-z])+.)+[A-Z]([a-z])+$"),
    *(r"(\w+\s?)*$", r"^(\w+\s?)*\$", r"(\d+)+x", r"(\s+)+x", r"\s+$", r"^\s+|\s+$", r"(.+)+=;"),
    *(r"(.*)*x", r"(.*.*)*x", r".*.*.*.*.*.*.*.*.*=.*", r"(.*){30}x", r"(.?){100}x", r"x*x*x*x*y"),
    *(r"^(?:a?){60}a{60}$", r"(a?){90}a{90}", r"(a|b|ab)*c", r"(?:a|ab|abc)*d", r"(aa|aab?)*c"),
    *(r"([a-z0-9._-]+)*@", r"^([\w.+-]+)+@([\w-]+\.)+\w+$", r"(<[^>]*>)*x", r"(\"[^\"]*\")*x"),
    *(r"^(.*?,){40}P", r"(,?\s*\w+)*;", r"(https?://)?([\w.-]+)*\.(com|org)+$", r"(\.|[^.])*x"),
    *(r"(a{1,30}){1,15}b", r"(a{0,20}){0,20}b", r"[^a]{100}b", r".{0,100}z", r"(x{1,400})y"),
    *(r"(?:.|\w|[^a]){1,90}Z", r"(\pL+)*x", r"(?i:(a+)+)$", r"(?:(?:a+)?)+$", r"(a+|b+|c+)*d"),
    *(r"^(a|b)*?c$", r"(?:\\.|[^\\])*x", r"(\[[^]]*\])*x", r"(=\?[^?]*\?)*x"),
)
TEXTS = ("a" * VALUE, "x" * VALUE, "ab" * (VALUE // 2), " " * VALUE, "é" * VALUE, "1," * 900 + "!")
MILLISECONDS = 10  # asked of each; nothing else may run meanwhile, so seconds of CPU are taken
TRIES, SHARED = 20, 1.5  # a second of CPU is a shorter one where others use the same core's caches


@pytest.mark.parametrize("pattern", EVIL)
def test_no_pattern_stalls(pattern: str) -> None:
    """A pattern that would keep other machines busy for ever is done within 10 ms."""
    patterns.found(patterns.check(pattern), "compiled")
    for text in TEXTS:
        limit = MILLISECONDS / 1000 * SHARED
        tries = [_spent(pattern, text + "!")]
        while tries[-1] > limit and len(tries) < TRIES:
            tries.append(_spent(pattern, text + "!"))
        assert tries[-1] <= limit, tries


def _spent(pattern: str, text: str) -> float:
    began = time.thread_time()
    patterns.found(pattern, text)
    return time.thread_time() - began


def test_there_are_enough_of_them() -> None:
    """At least 50 evil patterns are tried."""
    assert len(set(EVIL)) >= 50


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(?=a)b", "look-ahead"),
        (r"(?!a)b", "look-ahead"),
        (r"(?<!a)b", "look-behind"),
        (r"(a)\1", "a reference back to a group"),
        (r"(?>a+)", "an atomic group"),
        (r"a++", "a possessive repetition"),
        (r"a(", "is no pattern: missing )"),
        (r"*.doc", "is no pattern"),
        (r"(x{1,999})y", "too large with its repetitions written out"),
        (r"x{1,2000}", "too large with its repetitions written out"),
        (r"(\pL{1,90}){1,90}", "too large with its repetitions written out"),
        ("a" * 513, "may have 512 octets, this one has 513"),
        ("é" * 257, "may have 512 octets, this one has 514"),
        ("a\nb", "one line"),
        ("", "found everywhere"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_the_reason(pattern: str, words: str) -> None:
    """Look-around, back references and what is too large are named, and found nowhere."""
    with pytest.raises(ValueError, match=re.escape(words)):
        patterns.check(pattern)
    assert not patterns.found(pattern, "a")


def test_letter_case_does_not_matter() -> None:
    """As in Mailman, a pattern is found in whatever case, and anywhere in the text."""
    assert patterns.found("viagra", "Cheap VIAGRA")
    assert patterns.found("grüße", "Schöne GRÜSSE, GRÜßE")
    assert not patterns.found("^viagra", "Cheap VIAGRA")


@given(st.text(max_size=60), st.text(max_size=200))
def test_whatever_is_typed_is_refused_or_searched_for(pattern: str, text: str) -> None:
    """No pattern and no text make the search raise."""
    with contextlib.suppress(ValueError):
        assert patterns.check(pattern) == pattern
    assert patterns.found(pattern, text) in (True, False)


a_pattern = st.sampled_from(("^a", "b$", "(a+)+$", "x{1,400}", "(", "(?P<n>a)", "a|b", "c", r"\pL"))


@given(st.lists(a_pattern, max_size=6).map(tuple), st.text("abcx ", max_size=30))
def test_many_patterns_are_looked_for_as_one(several: tuple[str, ...], text: str) -> None:
    """All at once find what one of them finds, too large together or not."""
    expected = any(patterns.found(each, text) for each in several)
    assert patterns.any_found(several, text) is expected


def test_fifty_patterns_cost_hardly_more_than_one() -> None:
    """A list that bans by many patterns is not slower for it."""
    several = tuple(rf"^[0-9]+@mail{n}\.example$" for n in range(50))
    patterns.any_found(several, "compiled")
    began = time.thread_time()
    for _ in range(100):
        patterns.any_found(several, "ann@example.org")
    assert time.thread_time() - began < 0.05
