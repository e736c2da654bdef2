"""Domain names of mail addresses: U-labels to A-labels, and address literals.

IDNA 2008 as UTS 46 reads it, non-transitional (the sharp s stays itself), but for the mapping:
only upper case is mapped. Any other character that compatibility would turn into a different
one is refused, because two readers could take it for two different names.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_DOMAIN_OCTETS, _LABEL_OCTETS = 255, 63  # RFC 1035 2.3.4
_ASCII = frozenset("-0123456789abcdefghijklmnopqrstuvwxyz")
_LETTERS = frozenset(("Ll", "Lo", "Lm", "Mn", "Mc", "Nd"))  # IDNA 2008, less contextual rules


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
    if unicodedata.category(label[0])[0] == "M" or not all(
        char in _ASCII or unicodedata.category(char) in _LETTERS for char in label
    ):
        raise ValueError("there is a character not allowed in the domain")
    # Punycode takes quadratic time: too long a label never reaches it.
    return "xn--" + label[: _LABEL_OCTETS + 1].encode("punycode").decode("ascii")


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
