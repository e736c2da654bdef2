"""Where a footer goes: every kind of mail, read back by another parser than ours."""

from __future__ import annotations

import base64
import email
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import wire
from postroad.mail.edits import apply
from postroad.mail.footer import Decoration, decorate
from postroad.mail.headers import scan
from postroad.mail.mergefields import parse

RULE = "_" * 47
FOOTER = f"{RULE}\nTeam\nTo leave: $unsubscribe"
MADE = f"{RULE}\r\nTeam\r\nTo leave: mailto:leave@x".encode()
GERMAN = f"{RULE}\nVerein Grün"
VALUES = {"unsubscribe": "mailto:leave@x", "user_email": "ann@example.net"}
TOP = b"From: ann@example.net\r\nSubject: hi\r\nMIME-Version: 1.0\r\n"


def decorated(data: bytes, footer: str = FOOTER, header: str = "") -> Decoration | None:
    """How this mail gets these lines."""
    return decorate(data, scan(data)[1], parse(header), parse(footer))


def sent(data: bytes, footer: str = FOOTER, header: str = "") -> bytes:
    """The mail as one recipient gets it: the decoration, carried out as it is defined."""
    made = decorated(data, footer, header)
    assert made is not None
    head = scan(data)[1]
    out, at = apply(wire.canonical(data[:head]), made.edits), head
    for insertion in made.insertions:
        out += wire.canonical(data[at : insertion.at])
        texts = (VALUES.get(p, p) if n % 2 else p for n, p in enumerate(insertion.pieces))
        out, at = out + "".join(texts).encode(insertion.charset), insertion.at
    return out + wire.canonical(data[at:])


def plain(body: bytes, content: bytes = b"") -> bytes:
    """A mail with this body and these Content-* fields."""
    return TOP + content + b"\r\n" + body


def parts_of(message: Message) -> list[Message]:
    """The parts of a multipart."""
    found = message.get_payload()
    assert isinstance(found, list)
    assert all(isinstance(part, Message) for part in found)
    return found  # type: ignore[return-value]


def leaf(part: Message) -> bytes:
    """The octets of a part, its transfer encoding taken off."""
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b'content-type: TEXT/plain; CharSet="US-ASCII"\r\nContent-Transfer-Encoding: 7BIT\r\n',
        b"Content-Type: text/plain;\r\n\tcharset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: text/plain; charset=iso-8859-15\r\nContent-Transfer-Encoding: 8bit\r\n",
    ],
)
def test_a_text_is_followed_by_the_footer(content: bytes) -> None:
    """Header and text stay octet for octet; the footer comes after an empty line."""
    data = plain(b"Dear all,\r\ngr\xc3\xbcn\r\n", content)
    assert sent(data) == data + b"\r\n" + MADE + b"\r\n"


@pytest.mark.parametrize("body", [b"no end", b"bare\nlines\n", b"", b".\r\n"])
def test_line_ends_are_made_whole_first(body: bytes) -> None:
    """A last line without its end does not run into the footer."""
    data = plain(body)
    assert sent(data) == wire.canonical(data) + b"\r\n" + MADE + b"\r\n"


def test_a_footer_beyond_ascii_makes_an_ascii_text_utf8() -> None:
    """ASCII is a part of UTF-8: the text stays, and is only said to be more."""
    data = plain(b"Hello\r\n", b"Content-Type: text/plain; charset=us-ascii; format=flowed\r\n")
    read = BytesParser(EmailMessage, policy=policy.default).parsebytes(sent(data, GERMAN))
    assert read["Content-Type"].params == {"charset": "utf-8", "format": "flowed"}
    assert read["Content-Transfer-Encoding"] == "8bit"
    assert read.get_content().replace("\r\n", "\n") == f"Hello\n\n{GERMAN}\n"


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: text/plain; charset=us-ascii\r\n",  # and it is not
        b"Content-Type: text/plain; charset=us-ascii; x-mark=1\r\n",
    ],
)
def test_a_footer_that_a_charset_cannot_hold_becomes_a_part(content: bytes) -> None:
    """Never two charsets in one text."""
    data = plain(b"gr\xfcn\r\n", content)
    read = email.message_from_bytes(sent(data, GERMAN))
    text, footer = parts_of(read)
    assert leaf(text) == b"gr\xfcn\r\n"
    assert leaf(footer).decode() == GERMAN.replace("\n", "\r\n")


@pytest.mark.parametrize("flow", ["", "; format=flowed"])
@pytest.mark.parametrize("lines", [GERMAN, f"{'long ' * 40}= =C3\n-- \n.\nFrom us"])
def test_lines_around_a_quoted_printable_text_are_encoded_as_it_is(lines: str, flow: str) -> None:
    """The text stays octet for octet between them, and is one text to whoever decodes it."""
    body = b"gr=C3=BCn, =\r\nnot a =3D b=20\r\n"
    content = f"Content-Type: text/plain; charset=utf-8{flow}\r\n".encode()
    data = plain(body, content + b"Content-Transfer-Encoding: Quoted-Printable\r\n")
    made = sent(data, lines, lines)
    assert body in made
    assert all(len(line) <= 76 for line in made.split(b"\r\n"))
    read = leaf(email.message_from_bytes(made)).decode().replace("\r\n", "\n")
    if flow:
        read = read.replace("\n From", "\nFrom")
    assert read == f"{lines}\n\ngr\u00fcn, not a = b \n\n{lines}\n"


@pytest.mark.parametrize(
    ("charset", "body", "lines"),
    [("iso-8859-1", b"=FC\r\n", GERMAN), ("utf-8", b"a=\r\n", "x"), ("utf-8", b"a", FOOTER)],
)
def test_other_quoted_printable_texts_become_a_part(charset: str, body: bytes, lines: str) -> None:
    """Where their charset does not hold the lines, their last line goes on, or a value would stand
    in the lines that nobody encodes."""
    content = f"Content-Type: text/plain; charset={charset}\r\n".encode()
    data = plain(body, content + b"Content-Transfer-Encoding: quoted-printable\r\n")
    assert len(parts_of(email.message_from_bytes(sent(data, lines)))) == 2


def test_a_flowed_text_does_not_flow_into_the_footer() -> None:
    """RFC 3676: an empty line ends the paragraph; a line that begins as quoted text would is
    stuffed; no line of the footer ends in a space, but for the mark of a signature."""
    data = plain(b"this flows \r\n", b"Content-Type: text/plain; format=flowed\r\n")
    footer = "-- \n> $listname  \nFrom us\n indented\nTo: $user_email\n> end"
    assert sent(data, footer).endswith(
        b"this flows \r\n\r\n-- \r\n > listname\r\n From us\r\n  indented\r\n"
        b"To: ann@example.net\r\n > end\r\n"
    )


# --- parts -----------------------------------------------------------------------------------


def test_a_mixed_mail_gets_one_more_part() -> None:
    """The parts there are stay octet for octet; the footer is the last."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "ann@example.net"
    message.set_content("Hello\n")
    message.add_alternative("<p>Hello</p>\n", subtype="html")
    message.add_attachment(bytes(range(256)), maintype="image", subtype="png", filename="x.png")
    data = message.as_bytes()
    made = sent(data)
    before, after = email.message_from_bytes(data), email.message_from_bytes(made)
    *same, footer = parts_of(after)
    assert [part.as_bytes() for part in same] == [p.as_bytes() for p in parts_of(before)]
    assert (footer.get_content_type(), leaf(footer)) == ("text/plain", MADE)
    assert not after.defects
    # nothing of the mail is changed or moved but by what is put in
    end = made.index(b"--" + before.get_boundary("").encode() + b"\r\nContent-Type: text/plain; ch")
    assert made[:end] == data[:end]


def test_what_follows_the_last_delimiter_stays_there() -> None:
    """An epilogue is nobody's part, and no place for a footer."""
    mixed = b"Content-Type: multipart/mixed; boundary=b\r\n"
    body = b"--b\r\n\r\none\r\n--bb--\r\n--b-- \r\nepilogue --b--\r\n--b--\r\n"
    made = sent(plain(body, mixed))
    assert made.endswith(MADE + b"\r\n--b-- \r\nepilogue --b--\r\n--b--\r\n")
    assert b"one\r\n--bb--\r\n--b\r\nContent-Type: text/plain" in made


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n\r\none\r\n",  # no end
        b"--b--\r\n",  # no part
        b"--b--\r\n--b\r\n\r\none\r\n",  # an end before the beginning
        b"--b\r\n\r\none\r\n--b--x\r\n",
    ],
)
def test_a_mixed_mail_without_an_end_stays_as_it_is(body: bytes) -> None:
    """Where the parts end is not guessed."""
    assert decorated(plain(body, b"Content-Type: multipart/mixed; boundary=b\r\n")) is None


def test_a_footer_cannot_end_the_mail_it_stands_in() -> None:
    """A footer with a delimiter line of the author's in it is left out."""
    mixed = b"Content-Type: multipart/mixed; boundary=b\r\n"
    assert decorated(plain(b"--b\r\n\r\none\r\n--b--\r\n", mixed), "-- \n--b--\n") is None


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
            base64.encodebytes("grün\n".encode()).replace(b"\n", b"\r\n"),
        ),
        (
            b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain\r\n",
            b"gr=C3=BCn=\r\n!\r\n",
        ),
        (b"Content-Type: text/html; charset=utf-8\r\n", b"<p>gr\xc3\xbcn</p>\r\n"),
        (b"Content-Type: text/plain; charset=utf-16\r\n", b"\xff\xfeh\x00i\x00\r\n"),
        (b"Content-Type: text/x-diff\r\nContent-Disposition: attachment\r\n", b"-a\r\n+b\r\n"),
        (b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n", b"text"),
        (
            b'Content-Type: multipart/alternative;\r\n boundary="a"\r\nContent-Language: de\r\n',
            b"pre\r\n--a\r\n\r\n1\r\n--a\r\nContent-Type: text/html\r\n\r\n2\r\n--a--\r\nend",
        ),
        (b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n", b"AAAA\r\n"),
    ],
)
def test_anything_else_is_wrapped(content: bytes, body: bytes) -> None:
    """Its Content-* fields and its octets become the first part, whatever they are."""
    data = plain(body, content)
    made = sent(data)
    read = email.message_from_bytes(made)
    assert read.get_content_type() == "multipart/mixed"
    assert not read.defects
    first, footer = parts_of(read)
    assert leaf(footer) == MADE
    boundary = read.get_boundary("").encode()
    inner = made.split(b"--" + boundary)[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    assert inner == content + b"\r\n" + wire.canonical(body)
    assert first.get_content_type() == email.message_from_bytes(data).get_content_type()
    assert read["Subject"] == "hi"
    names = [name.lower() for name in read if name.lower().startswith("content-")]
    assert len(names) == len(set(names))
    eight_bit = read["Content-Transfer-Encoding"] == "8bit"
    assert eight_bit is not made.isascii()


# --- left alone ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/signed; boundary=b; protocol=x\r\n",
        b"Content-Type: multipart/encrypted; boundary=b\r\n",
        b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n",
        b"Content-Type: Application/X-PKCS7-MIME\r\n",
        b"Content-Type: application/pgp; format=text\r\n",
        b"Content-Type: multipart/report; boundary=b\r\n",
        b"Content-Type: text/calendar; method=REQUEST\r\n",
        b"Content-Type: text/plain\r\nContent-Type: text/html\r\n",
        b"Content-Type: words\r\n",
        b"Content-Type: gr\xfcn/text\r\n",
        b"Content-Type : text/html\r\n",
        b"Content-Transfer-Encoding: binary\r\n",
        b"Content-Type: multipart/alternative; boundary=b\r\nContent-Transfer-Encoding: base64\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Type: multipart/alternative\r\n",
        b"Content-Type: multipart/alternative; boundary=other\r\n",
        b'Content-Type: multipart/mixed; boundary="b@x"\r\n',
        b"Content-Type: text/html; x=" + b"a" * 9_000 + b"\r\n",
    ],
)
def test_signed_or_doubtful_mail_goes_without(content: bytes) -> None:
    """A signature stays valid, and nothing is made worse by guessing."""
    assert decorated(plain(b"--b\r\n\r\none\r\n--b--\r\n", content)) is None


@pytest.mark.parametrize("data", [b"", b"\r\n", b"Subject: x\r\n", b"no header", b"A: b\r\nbody"])
def test_a_mail_without_a_whole_header_goes_without(data: bytes) -> None:
    """Where the header ends is not guessed either."""
    assert decorated(data) is None


def test_a_line_that_could_grow_too_long_is_left_out() -> None:
    """No line passes 998 octets, whoever the recipient is."""
    assert decorated(plain(b"x\r\n"), "ä" * 500) is None
    assert decorated(plain(b"x\r\n"), "$unsubscribe " * 4) is None
    assert decorated(plain(b"x\r\n"), "$unsubscribe\n" * 400) is not None


# --- whatever the mail is --------------------------------------------------------------------

BITS = [b"--b", b"--", b"\r\n", b"\n", b"\r", b" ", b"Content-Type: ", b"multipart/mixed", b"b\r\n"]
BITS += [b"; boundary=b", b"text/plain", b"text/html", b"multipart/alternative", b".", b"\xff"]
BITS += [
    b"Content-Transfer-Encoding: ",
    b"8bit",
    b"base64",
    b"A: b\r\n",
    b"\r\n\r\n",
    b"; charset=",
]


@given(
    st.lists(st.sampled_from(BITS) | st.binary(max_size=3), max_size=40).map(b"".join),
    st.sampled_from(["", "Grüße von $user_email\n$description"]),
)
def test_what_the_author_wrote_is_all_there(data: bytes, header: str) -> None:
    """Any octets: nothing raises; all of the body stands in the copy, in order, and every place
    is at the start of a line."""
    head = scan(data)[1]
    made = decorated(data, FOOTER, header)
    if made is None:
        return
    places = [insertion.at for insertion in made.insertions]
    assert places == sorted(places)
    assert all(at == len(data) or data[at - 1] in b"\r\n" for at in places)
    out = sent(data, FOOTER, header)
    assert MADE in out
    at = 0
    for start, end in zip([head, *places], [*places, len(data)], strict=True):
        piece = wire.canonical(data[start:end])
        at = out.index(piece, at) + len(piece)


@given(st.lists(st.sampled_from(["text", "html", "image", "signed"]), min_size=1, max_size=5))
def test_every_leaf_of_a_mail_survives(kinds: list[str]) -> None:
    """Mails as programs write them: read back, each part is what it was, and the footer is more."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "ann@example.net"
    message.set_content("first ü\n")
    for kind in kinds:
        match kind:
            case "text":
                message.add_attachment("more\n", subtype="plain")
            case "html":
                message.add_attachment("<p>grün</p>", subtype="html")
            case "image":
                message.add_attachment(b"\0" * 99, maintype="image", subtype="png")
            case _:
                inner = EmailMessage(policy=policy.SMTP)
                inner.set_content("signed\n")
                message.add_attachment(inner)
    before = email.message_from_bytes(message.as_bytes())
    after = email.message_from_bytes(sent(message.as_bytes()))
    leaves = [part.as_bytes() for part in before.walk() if not part.is_multipart()]
    *same, footer = [part for part in after.walk() if not part.is_multipart()]
    assert [part.as_bytes() for part in same] == leaves
    assert leaf(footer) == MADE


def test_real_mail_keeps_all_its_parts(corpora: Path) -> None:
    """Of mail that the other parser finds well-formed: the same leaves, and the footer behind."""
    files = [path for path in corpora.rglob("*") if path.is_file()]
    assert files
    count = 0
    for path in files:
        data = path.read_bytes()
        try:
            before = email.message_from_bytes(wire.canonical(data))
            leaves = [part.as_bytes() for part in before.walk() if not part.is_multipart()]
        except Exception:  # noqa: BLE001  the parser of the standard library raises on some
            continue
        if any(part.defects for part in before.walk()) or decorated(data) is None:
            continue
        after = email.message_from_bytes(sent(data))
        found = [part for part in after.walk() if not part.is_multipart()]
        if after.is_multipart():
            *same, footer = found
            assert leaf(footer) == MADE, path
            if before.is_multipart():
                assert [part.as_bytes() for part in same] == leaves, path
            else:
                assert same[0].get_payload() == before.get_payload(), path
        else:
            assert str(found[0].get_payload()).startswith(str(before.get_payload())), path
        count += 1
    assert count > len(files) // 3
