"""Texts that owners type in the place of ours: what is taken or refused, what becomes of it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.mail.addresses import Form
from services.membership.letters import Letter, compose, own
from services.membership.letters.catalog import placeholders, texts
from services.membership.letters.templates import ANSWERED, EXAMPLES, TOKEN
from services.membership.letters.texts import as_typed
from services.membership.letters.wording import Site, Wording

WELCOME = Letter(
    text="welcome",
    to="ada@example.org",
    list_address="team@lists.example.org",
    list_name="Team",
    form="dash",
    date=datetime(2026, 3, 9, 8, 30, tzinfo=UTC),
    message_id="0195799f@lists.example.org",
)


def said(typed: str, name: str = "welcome", form: Form = "dash") -> str:
    """Why a text is refused; empty for one that is taken."""
    try:
        own.check(own.named(name), own.kept(typed), form)
    except ValueError as error:
        return str(error)
    return ""


def sent(typed: str, name: str = "welcome", language: str = "", **changes: str) -> tuple[str, str]:
    """Subject and plain text of a letter whose list has this text."""
    fields = {**EXAMPLES, **changes}
    if {"token", "confirm"} & {*placeholders(name)} or name in ANSWERED:
        fields["token"] = TOKEN
    wording = Wording(of_list={(name, language): own.kept(typed)} if typed else {})
    letter = replace(WELCOME, text=name, fields=fields, wording=wording)
    mail = email.message_from_bytes(compose(letter), policy=email.policy.default)
    part = mail.get_body(("plain",))
    assert part is not None
    return str(mail["Subject"]), str(part.get_content()).replace("\r\n", "\n")


def test_an_owner_writes_a_welcome() -> None:
    """Subject, fields and lines are as typed; long paragraphs are wrapped, ours stands below."""
    typed = (
        "Subject: Hello from {name}\r\n\r\n"
        "Dear {address}, " + "welcome " * 20 + "to {list}.\r\n\r\nKind regards\r\nAnn\r\n"
    )
    assert said(typed) == ""
    subject, text = sent(typed)
    assert subject == "Hello from Team"
    assert text.startswith("Dear ada@example.org, welcome")
    assert "\n\nKind regards\nAnn\n\n-- \nTeam, a mailing list: team@lists" in text
    assert max(map(len, text.splitlines())) <= 72


def test_without_a_subject_ours_stands() -> None:
    """Who only cares for the text leaves the Subject out."""
    assert sent("Hello!")[0] == "Welcome to Team"


@pytest.mark.parametrize(
    ("name", "typed", "why"),
    [
        (
            "welcome",
            "Hello {nmae}!",
            "there is no {nmae} in the letter welcome; did you mean {name}?",
        ),
        ("welcome", "Hello {list_name}!", "did you mean {name}?"),
        ("welcome", "{failures}", "there is no {failures} in the letter welcome; there are {name}"),
        ("welcome", "Welcome to $display_name", "$display_name is Mailman's; here it is {name}"),
        ("welcome", "Write to ${listname}", "${listname} is Mailman's; here it is {list}"),
        ("confirm_join", "Do you want to join {list}?", "needs {confirm} or {token}: by it people"),
        ("confirm_join", "Subject: {token}\n\nReply: {token}", "{token} cannot stand in a Subject"),
        ("confirm_join", "{address} {token}", "there is no {address} in the letter confirm_join"),
        ("held_one", "Something waits.", "needs {waiting}: without it nobody knows what waits"),
        ("held_one", "Subject: {waiting}\n\n{waiting}", "{waiting} cannot stand in a Subject"),
        ("welcome", "Subject: Hi\nBcc: eve@evil.example\n\nHello", "there must be an empty line"),
        ("welcome", "Subject: Hi\x00\n\nHello", "without control characters"),
        ("welcome", "Hello\x1b[31m", "without control characters"),
        ("welcome", "Subject: Hello", "there is no text"),
        ("welcome", "x" * 10_001, "the text has 10,001 characters; it takes 10,000"),
        ("welcome", f"Subject: {'x' * 201}\n\nHi", "the Subject has 201 characters; it takes 200"),
        ("welcome", "Subject: Hi {name\n\nHello", "{name has no closing brace; write {name}"),
        ("welcome", "Hello { name }", "{ name } is no field; write {name}"),
        ("wellcome", "Hello", "there is no letter 'wellcome'; did you mean 'welcome'?"),
        ("list:user:notice:digest", "Hello", "did you mean 'list:user:notice:"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(name: str, typed: str, why: str) -> None:
    """The line names what is wrong and the nearest that is right, before anybody reads it."""
    try:
        found = said(typed, name)
    except ValueError as error:
        found = str(error)
    assert why in found
    assert "\n" not in found


def test_mailmans_names_mean_ours() -> None:
    """Who comes from Mailman finds the letters by the names they know."""
    assert own.named("list:user:notice:welcome") == "welcome"
    assert own.named("list:user:action:subscribe.txt") == "confirm_join"


def test_a_list_without_sub_addresses_sends_nobody_to_its_owners() -> None:
    """What is written to the owners there would go to everybody."""
    assert said("Ask {owner}") == ""
    assert said("Ask {owner}", form="none").startswith("{owner}: a list without sub-addresses")
    wording = Wording(of_list={("welcome", ""): "Ask {owner}"})  # set before the list had none
    assert wording.find("welcome", "none").source == "built in"


def test_what_show_prints_can_be_set() -> None:
    """Each of our texts, printed to be changed, is accepted as it is."""
    forms: tuple[Form, ...] = ("dash", "none")
    for form in forms:
        for name, text in texts().items():
            body = text.none if form == "none" and text.none else text.text
            assert said(own.typed(text, as_typed(body)), name, form) == "", name


def test_our_words_are_the_same_as_an_own_text() -> None:
    """Who sets what is printed changes nothing of what people read."""
    text = texts()["welcome"]
    assert sent(own.typed(text, as_typed(text.text))) == sent("")


@settings(max_examples=60)
@given(
    typed=st.text(max_size=200)
    | st.lists(
        st.sampled_from(["Subject: ", "\n", "\r\n", "{name}", "{", "}", "Bcc: a@b", "- ", "    "]),
        max_size=12,
    ).map("".join),
)
def test_whatever_is_taken_makes_a_letter_of_our_shape(typed: str) -> None:
    """No own text makes a header or a part, or keeps a letter from being written."""
    if said(typed):
        return
    wording = Wording(of_list={("welcome", ""): own.kept(typed)})
    data = compose(replace(WELCOME, wording=wording))
    mail = email.message_from_bytes(data, policy=email.policy.default)
    usual = email.message_from_bytes(compose(WELCOME), policy=email.policy.default)
    assert mail.keys() == usual.keys()
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_the_language_comes_first_then_the_list_then_the_site() -> None:
    """The reader's language, the list's, the site's, English; in each the list's text, the site's,
    ours; a text without language is for every one."""

    def source(*languages: str, site: str = "en", **own_texts: str) -> tuple[str, str]:
        of_list = {("welcome", key): "Hi" for key, whose in own_texts.items() if whose == "list"}
        of_site = {("welcome", key): "Hi" for key, whose in own_texts.items() if whose == "site"}
        wording = Wording(languages, of_list, Site(language=site, texts=of_site))
        found = wording.find("welcome", "dash")
        return found.source, found.language

    assert source() == ("built in", "en")
    assert source("de") == ("built in", "de")
    assert source("", "de") == ("built in", "de")
    assert source(site="de") == ("built in", "de")
    assert source("fr", "de") == ("built in", "de")
    assert source("de", en="list") == ("built in", "de")
    assert source("de", "en", de="site") == ("site", "de")
    assert source("fr", "de", fr="list") == ("list", "fr")
    assert source("de", **{"": "list"}) == ("list", "de")
    assert source("de", de="list", **{"": "site"}) == ("list", "de")
    assert source("de", de="site", **{"": "list"}) == ("list", "de")


def test_what_a_newer_release_refuses_is_passed_over() -> None:
    """A text with a field that is gone keeps no letter from being written: ours is."""
    assert sent("Hello {gone}")[0] == "Welcome to Team"
