"""What Postroad writes to people, as mail programs, robots and attackers meet it."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroad.mail.addresses import Form, Match, match
from postroad.mail.automatic import unanswerable
from postroad.mail.headers import scan
from services.membership.letters import Letter, compose, notice_id
from services.membership.letters.catalog import texts
from services.membership.letters.texts import GIVEN

TEXTS = sorted({*texts()} - {"sign_off"})
CONFIRMATIONS = [name for name in TEXTS if "confirm" in name]
TOKEN = "k7dq2xw5h3m6pyz4tnabcrefgu"
LISTS = {"team@lists.example.org": "team"}
FORMS: list[Form] = ["dash", "plus", "none"]
PLAIN = Letter(
    text="help",
    to="ada@example.org",
    list_address="team@lists.example.org",
    list_name="Team",
    form="dash",
    date=datetime(2026, 3, 9, 8, 30, tzinfo=UTC),
    message_id="0195799f@lists.example.org",
    fields={
        "subject": "Minutes",
        "lists": "a@example.org\nb@example.org",
        "reason": "No files",
        "verdict": "was accepted",
        "count": "2",
        "days": "30",
        "wish": "own_off",
        "waiting": "Subject: Tea",
        "people": "2",
        "other": "news@lists.example.org",
        "failures": "the mailbox is full:\n- a@example.org",
        "mails": "0195799f: Minutes",
    },
)
SAID = (
    "subject",
    "reason",
    "verdict",
    "waiting",
    "lists",
    "people",
    "failures",
    "mails",
)  # what others may have written
ASKING = replace(
    PLAIN,
    text="confirm_join",
    fields={"token": TOKEN, "days": "3", "wish": "own_off", "other": "ann@far.example"},
)


def parsed(letter: Letter) -> EmailMessage:
    """The mail as the standard library reads it."""
    mail = email.message_from_bytes(compose(letter), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def of(text: str, **changes: Any) -> Letter:
    """A letter with this text and the fields it needs."""
    return replace(ASKING if text in CONFIRMATIONS else PLAIN, text=text, **changes)


def body(mail: EmailMessage, kind: str) -> str:
    """One of the twins."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Page(HTMLParser):
    """The words of a document, its elements and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "li":
            self.words.append("- ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", TEXTS)
def test_both_twins_say_the_same(text: str, form: Form) -> None:
    """Who reads the HTML learns nothing that the plain text does not say, nor less."""
    mail = parsed(of(text, form=form))
    assert not [part.defects for part in mail.walk() if part.defects]
    words = " ".join("".join(Page(body(mail, "html")).words).split())
    assert words == " ".join(body(mail, "plain").split())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", TEXTS)
def test_robots_are_asked_for_silence(text: str, form: Form) -> None:
    """No robot answers a letter, ours included, and one that comes round is known by its list."""
    facts, _ = scan(compose(of(text, form=form)))
    assert unanswerable(facts)
    assert facts.list_ids == ("team.lists.example.org",)
    assert facts.auto_submitted == "auto-generated"
    assert facts.precedence == "bulk"
    answer, _ = scan(compose(of(text, form=form, answering="question@example.org")))
    assert answer.auto_submitted == "auto-replied"
    assert answer.in_reply_to == "question@example.org"
    assert answer.references == ("question@example.org",)


@pytest.mark.parametrize("text", CONFIRMATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_a_plain_reply_confirms(text: str, form: Form) -> None:
    """From and Reply-To lead back with the token, or the Subject does where no address can."""
    facts, _ = scan(compose(of(text, form=form)))
    (sender,), (reply_to,) = facts.from_, facts.reply_to
    assert sender.address == reply_to.address
    if form == "none":
        assert sender.address == "team@lists.example.org"
        assert facts.subject == f"confirm {TOKEN}"
    else:
        assert match(reply_to.address, LISTS) == Match("team", "confirm", TOKEN)
        assert TOKEN not in facts.subject
    assert f"\n    confirm {TOKEN}\n" in body(parsed(of(text, form=form)), "plain")


def test_a_plain_reply_to_anything_else_reaches_people() -> None:
    """Whoever answers a letter that asks nothing reaches the owners, not a program."""
    facts, _ = scan(compose(PLAIN))
    assert match(facts.reply_to[0].address, LISTS) == Match("team", "owner")


def test_members_are_told_programs_how_to_leave() -> None:
    """Only letters to members say List-Unsubscribe; with a token it is their own."""
    assert parsed(of("goodbye"))["List-Unsubscribe"] is None
    assert parsed(ASKING)["List-Unsubscribe"] is None
    shared = parsed(of("welcome"))["List-Unsubscribe"]
    assert shared == "<mailto:team-leave@lists.example.org>"
    own = parsed(of("welcome", leave_token="abc2"))["List-Unsubscribe"]
    assert own == "<mailto:team-leave+abc2@lists.example.org>"
    none = parsed(of("welcome", leave_token="abc2", form="none"))["List-Unsubscribe"]
    assert none == "<mailto:team@lists.example.org?subject=leave%20abc2>"


@pytest.mark.parametrize("text", CONFIRMATIONS)
def test_confirmations_hold_nothing_that_others_chose(text: str) -> None:
    """A forger can make us send a confirmation, but not one word of it, but for the address that a
    question about addresses must name; the Subject has not even that."""
    used = set(re.findall(r"\{(\w+)\}", texts()[text].text + texts()[text].none))
    about = {"other"} if text in ("confirm_addresses", "confirm_move", "confirm_add") else set()
    assert used - {"list", "confirm", "token", "days", "wish"} == about
    assert set(re.findall(r"\{(\w+)\}", texts()[text].subject)) <= {"list"}


@pytest.mark.parametrize("text", ["confirm_addresses", "confirm_move", "confirm_add"])
def test_an_address_in_question_is_seen_to_its_end(text: str) -> None:
    """On a line of its own, whatever its length: nobody says yes to half of one. What would turn or
    end the line is shown as what it is."""
    longest = f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.evil.example"
    fields = {**ASKING.fields, "wish": "move_away"}
    words = body(parsed(of(text, fields={**fields, "other": longest})), "plain")
    assert f"    {longest}" in words.split("\n")
    words = body(
        parsed(of(text, fields={**fields, "other": "x\u202e\r\n\x07y@evil.example"})), "plain"
    )
    assert not {"\u202e", "\r", "\x07"} & set(words)
    assert words.count("@evil.example") == 1


def test_one_mail_may_hold_several_texts() -> None:
    """A mail with several requests is answered in one mail, with the first one's subject."""
    mail = parsed(replace(PLAIN, text="which help"))
    assert mail["Subject"] == "The lists you are on"
    words = body(mail, "plain")
    assert words.index("a@example.org") < words.index("this mail")
    assert words.count("-- \n") == 1


def test_a_list_with_too_long_a_name_writes_all_the_same() -> None:
    """Where a sub-address would pass 64 octets, Reply goes to the list itself."""
    address = "t" * 60 + "@lists.example.org"
    mail = parsed(of("help", list_address=address))
    assert mail["Reply-To"] == address
    assert mail["List-Help"] is None


def test_what_there_is_not_is_refused() -> None:
    """An unknown text, an unknown field, a missing one and a token that is none are mistakes."""
    for text in ("", "nonsense", "help nonsense", "sign_off", "phrases"):
        with pytest.raises(ValueError, match="there is no text"):
            compose(replace(PLAIN, text=text))
    with pytest.raises(ValueError, match="no field 'evil'"):
        compose(replace(PLAIN, fields={"evil": "x"}))
    with pytest.raises(ValueError, match="lacks the field 'lists'"):
        compose(replace(PLAIN, text="which", fields={}))
    with pytest.raises(ValueError, match="letters and digits"):
        compose(replace(ASKING, fields={"token": "a@b", "days": "3"}))
    with pytest.raises(ValueError, match="there is no @"):
        compose(replace(PLAIN, to="ada"))


def test_values_are_never_filled_in_again() -> None:
    """A field inside a value is text like any other."""
    mail = parsed(of("post_waiting", fields={"subject": "{owner} {nonsense} {0} %s $name"}))
    assert "    {owner} {nonsense} {0} %s $name\n" in body(mail, "plain")


def test_nobody_on_any_list_and_a_mail_without_subject() -> None:
    """Where there is nothing to show, that is said."""
    assert "    (none)\n" in body(parsed(of("which", fields={"lists": ""})), "plain")
    waiting = body(parsed(of("post_waiting", fields={"subject": " "})), "plain")
    assert "    (no subject)\n" in waiting


def test_the_welcome_tells_what_the_list_is() -> None:
    """Its name and description, where it has one; without, no gap is left."""
    described = body(parsed(of("welcome", list_description="All about tea")), "plain")
    assert "mailing list Team now" in described
    assert "\n\n    All about tea\n\n" in described
    plain = parsed(of("welcome"))
    assert "\n\n\n" not in body(plain, "plain")
    assert "<pre>" not in body(plain, "html")


def test_the_id_of_a_letter_follows_from_its_cause() -> None:
    """The same letter has the same id, any other another, and it sorts beside its cause."""
    cause = "0195799f5f007d1e8b1c3a52d7e9f016"
    first = notice_id(cause, "team", "welcome")
    assert first == notice_id(cause, "team", "welcome")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first[:12] == cause[:12]
    others = [
        notice_id(f"{cause}-2", "team", "welcome"),
        notice_id(cause, "news", "welcome"),
        notice_id(cause, "team", "help"),
    ]
    assert len({cause, first, *others}) == 5


HOSTILE = st.text(max_size=80) | st.sampled_from(
    [
        'Team "quoted" \\ back',
        "Team\r\nBcc: eve@evil.example",
        "</p><script>alert(1)</script><img src=http://evil.example/x>",
        "=?utf-8?q?=0d=0aBcc:_eve@evil.example?=",
        "\u202eevil\u202c \U0001f697 שלום مرحبا",
        "a, b; c <eve@evil.example>",
        "\x00\x1b[31m\x85\u2028",
        "x" * 3_000,
        "\ud800",
    ]
)


@settings(max_examples=150)
@given(
    name=HOSTILE,
    said=HOSTILE,
    answering=HOSTILE,
    text=st.sampled_from(TEXTS),
    form=st.sampled_from(FORMS),
)
@example(
    name="Team\r\n\r\n<b>",
    said="\n--=_x\n",
    answering="a\r\nB: c",
    text="post_waiting",
    form="dash",
)
def test_nothing_others_wrote_becomes_markup_or_a_header(
    name: str, said: str, answering: str, text: str, form: Form
) -> None:
    """Whatever a list is called, whatever a mail says: the shape of a letter stays ours."""
    fields = {"days": "3", "count": "2", "wish": "own_on", "other": "news@lists.example.org"}
    fields |= {"token": TOKEN} if text in CONFIRMATIONS else {}
    letter = of(text, list_name=name, list_description=said, form=form, answering=answering)
    letter = replace(letter, fields={**dict.fromkeys(SAID, said), **fields})
    data = compose(letter)
    assert data == compose(letter)
    assert data.isascii()
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in data.replace(b"\r\n", b"\n").split(b"\n"))
    mail = parsed(letter)
    extra = {"List-Unsubscribe", "In-Reply-To", "References"}
    assert {*mail.keys()} - extra == {*parsed(of(text)).keys()} - extra
    assert len(mail.keys()) == len({*mail.keys()})
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    page = Page(body(mail, "html"))
    known = Page(body(parsed(of(text, form=form, list_description="x")), "html"))
    assert page.tags <= known.tags | {"bdi"}
    assert page.attributes <= {"lang", "charset", "style", "href"}
    assert page.links == known.links
    facts, _ = scan(data)
    assert [box.address for box in facts.from_] == [box.address for box in facts.reply_to]
    assert facts.to[0].address == "ada@example.org"
    assert not facts.oddities


def test_an_address_that_is_not_ascii_stays_an_address() -> None:
    """RFC 6532: its local part is UTF-8 in the header, and no encoded word."""
    assert b"To: j\xc3\xbcrgen@xn--bcher-kva.example\r\n" in compose(
        replace(PLAIN, to="jürgen@bücher.example")
    )


def test_every_field_is_one_of_the_list() -> None:
    """The language file uses no field that nobody fills in."""
    known = {*GIVEN, "name", "list", "description", "join", "leave", "request", "owner", "confirm"}
    for name, text in texts().items():
        used = set(re.findall(r"\{([^}]*)\}", text.subject + text.text + text.none))
        assert used <= known, name


def test_lists_without_sub_addresses_name_no_other_address() -> None:
    """There the owners and the program have no address of their own, so no text sends to them."""
    for name, text in texts().items():
        assert not re.findall(r"\{(?:owner|request)\}", text.none or text.text), name
