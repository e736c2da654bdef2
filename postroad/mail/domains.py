"""Domain names of mail addresses: U-labels to A-labels, and address literals.

IDNA 2008 as UTS 46 reads it, non-transitional (the sharp s stays itself), but for the mapping:
only upper case is mapped. Any other character that compatibility would turn into a different
one is refused, because two readers could take it for two different names.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_DOMAIN_OCTETS, _LABEL_OCTETS = 255, 63  # RFC 1035 2.3.4
_ASCII = frozenset("-0123456789abcdefghijklmnopqrstuvwxyz")
# Letters and marks that show nothing: fillers and variation selectors (Unicode 3.11, 23.4).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_DEVIATIONS = "ßς"  # letters of their own since IDNA 2008
_LETTERS = frozenset(("Ll", "Lo", "Lm", "Mn", "Mc", "Nd"))  # IDNA 2008, less contextual rules


@lru_cache(4096)  # most mail is from and to the same few
def normalise_domain(domain: str) -> str:
    """A domain in lower-case A-labels, or an address literal. Raises ValueError with the reason.

    A-labels given as such are taken as they are.
    """
    if not domain:
        raise ValueError("there is no domain after the @")
    if domain[0] == "[":
        return _literal(domain)
    if len(domain) > _DOMAIN_OCTETS:
        raise ValueError(f"the domain is longer than {_DOMAIN_OCTETS} octets")
    labels = [_label(label) for label in domain.split(".")]
    if labels[-1].isdigit():
        raise ValueError("the domain ends in a number")
    found = ".".join(labels)
    if len(found) > _DOMAIN_OCTETS:
        raise ValueError(f"the domain is longer than {_DOMAIN_OCTETS} octets")
    return found


def refuse_look_alikes(text: str) -> None:
    """Raises ValueError where a character is invisible, broken, or to some readers another one.

    The Kelvin sign is a K, full-width letters are plain letters, a ligature is two: all that
    compatibility normalisation (NFKC) would change.
    """
    if _UNSEEN.search(text):
        raise ValueError("there is an invisible or broken character in it")
    for char in text:
        if char < "\x7f":
            continue
        if not char.isprintable() or char == "\ufffd":
            raise ValueError("there is an invisible or broken character in it")
        if unicodedata.normalize("NFKC", char) != char:
            raise ValueError("there is a character in it that others may read as another one")


def _label(label: str) -> str:
    if not label:
        raise ValueError("there is a dot too many in the domain")
    if label[0] == "-" or label[-1] == "-":
        raise ValueError("a part of the domain starts or ends with a hyphen")
    label = label.lower() if label.isascii() else _a_label(label)
    if len(label) > _LABEL_OCTETS:
        raise ValueError(f"a part of the domain is longer than {_LABEL_OCTETS} octets")
    if not _LABEL.fullmatch(label):
        raise ValueError("there is a character not allowed in the domain")
    return label


def _a_label(label: str) -> str:
    refuse_look_alikes(label)
    label = unicodedata.normalize("NFC", "".join(char.lower() for char in label))
    if unicodedata.category(label[0])[0] == "M" or not all(map(_is_allowed, label)):
        raise ValueError("there is a character not allowed in the domain")
    # Punycode takes quadratic time: too long a label never reaches it.
    return "xn--" + label[: _LABEL_OCTETS + 1].encode("punycode").decode("ascii")


def _is_allowed(char: str) -> bool:
    """Whether IDNA 2008 takes this character (RFC 5892 2): a letter that folding leaves alone."""
    if char in _ASCII or char in _DEVIATIONS:
        return True
    return (
        unicodedata.category(char) in _LETTERS
        and unicodedata.normalize("NFKC", char.casefold()) == char
    )


def _literal(text: str) -> str:
    inner = text[1:-1]
    if text[-1] == "]" and "%" not in inner:
        try:
            if inner[:5].lower() == "ipv6:":
                return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
            return f"[{ipaddress.IPv4Address(inner)}]"
        except ValueError:
            pass
    raise ValueError("the address in brackets is no IP address")
