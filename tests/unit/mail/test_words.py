"""RFC 2047, for the eye and for the wire."""

from __future__ import annotations

import encodings.aliases

import pytest

from postroad.mail.words import decode, encode, encode_phrase, encode_unstructured, printable


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),  # padding forgotten
        ("=?iso-8859-1?q?Gr=FC=DFe?= from =?koi8-r?b?7cnS?=", "Grüße from Мир"),
        ("=?utf-8?q?one?= =?utf-8?q?two?=", "onetwo"),
        ("=?utf-8?q?one?=\t =?us-ascii?q?two?=", "onetwo"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),  # a character cut in two
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?gb2312?b?xOO6ww==?=", "你好"),
        ("=?utf-8*en?q?lang?=", "lang"),
        ("=?utf-8?q?not closed", "=?utf-8?q?not closed"),
        ("=?utf-8?x?what?=", "=?utf-8?x?what?="),
        ("=?utf-8?b?!?=", ""),
        ("=?x-evil?q?=E9?=", "é"),
        ("=?utf-7?q?+ADw-?=", "+ADw-"),
        ("=?rot13?q?uryyb?=", "uryyb"),
        ("=?utf-8?q?a=0D=0Ab=00c=1Bd?=", "a  b c d"),
        ("=?utf-8?q?a=E2=80=AEb=C2=85c=E2=80=A8d?=", "ab c d"),
    ],
)
def test_encoded_words_are_decoded(written: str, meant: str) -> None:
    """Known charsets are decoded, others shown as octets; controls never come out."""
    assert decode(written, 100) == meant


def test_no_codec_is_reached_by_name() -> None:
    """No name of any codec of Python, used as a charset, raises or runs it."""
    names = set(encodings.aliases.aliases) | set(encodings.aliases.aliases.values())
    for name in names | {"idna", "punycode", "unicode_escape", "undefined", "mbcs", "utf-8-sig"}:
        assert decode(f"=?{name}?b?AAECAwT//g==?=", 100).isprintable()


def test_decoding_is_bounded() -> None:
    """No more comes out than was asked for, however much goes in."""
    assert len(decode("=?utf-8?q?=41?= " * 20_000, 1_000)) == 1_000
    assert len(printable("\x00" * 100_000 + "x", 10)) <= 10


@pytest.mark.parametrize("text", ["é", "x" * 300 + "é" * 300, "日本語" * 40, "🙂" * 60, "a é b"])
def test_what_is_encoded_is_decoded(text: str) -> None:
    """Encoded words come back as the same text, none longer than RFC 2047 allows."""
    words = encode(text)
    assert decode(words, 10_000) == text
    assert max(map(len, words.split(" "))) <= 75


@pytest.mark.parametrize(
    "text",
    [
        "all ascii",
        "[Équipe] hello",
        "[Équipe] =?utf-8?q?d=C3=A9j=C3=A0?= vu",
        "=?utf-8?q?d=C3=A9j=C3=A0?= vu é è",
        "=?utf-8?q?a?= é =?utf-8?q?b?=",
        "a  é  b",
    ],
)
def test_unstructured_text_keeps_its_meaning(text: str) -> None:
    """Only what is not ASCII is encoded; words already encoded stay, and so does every space."""
    words = encode_unstructured(text)
    assert words.isascii()
    assert decode(words, 1_000) == decode(text, 1_000)
    assert all(word in words for word in text.split() if word.startswith("=?"))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Team", "Team"),
        ("The Team", "The Team"),
        ("Team, the <best>", '"Team, the <best>"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("a\r\nBcc: eve@evil.org", '"a Bcc: eve@evil.org"'),
        ("", ""),
    ],
)
def test_phrase_cannot_break_out(text: str, phrase: str) -> None:
    """A display name stands in a header as one phrase, whatever is in it."""
    assert encode_phrase(text) == phrase


def test_phrase_that_looks_encoded_is_encoded() -> None:
    """A name that spells an encoded word is shown as spelt."""
    assert decode(encode_phrase("=?utf-8?q?=41?="), 100) == "=?utf-8?q?=41?="
