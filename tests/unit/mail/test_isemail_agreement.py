"""How far we agree with the 164 cases of isemail, and why not in the rest.

isemail grades; we say yes or no: whether SMTP can send to it. What it calls valid, unknown
to DNS, or unusual but allowed by RFC 5321 is sent to; what stands in headers only is not.
"""

from __future__ import annotations

from pathlib import Path

from postroad.mail.addresses import parse_address
from tests.unit.mail.test_addresses import isemail

SENT_TO = ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321")

# Diagnosis of those that we judge otherwise: how many, whether we take them, and why.
OTHERWISE = {
    "ISEMAIL_RFC5321_TLDNUMERIC": (2, False, "no such domain can be: it would be an IP address"),
    "ISEMAIL_RFC5321_QUOTEDSTRING": (1, False, 'an empty local part (`""@`) reaches nobody'),
    "ISEMAIL_RFC5321_IPV6DEPRECATED": (1, True, "RFC 5321 allows :: for one group of zeros"),
}


def test_160_of_164_are_judged_alike(corpora: Path) -> None:
    """Four are not, each on purpose."""
    cases = isemail(corpora)
    otherwise: dict[str, tuple[int, bool]] = {}
    for _, address, category, diagnosis in cases:
        taken = parse_address(address) is not None
        if taken != (category in SENT_TO):
            count, _ = otherwise.get(diagnosis, (0, taken))
            otherwise[diagnosis] = (count + 1, taken)
    assert otherwise == {name: told[:2] for name, told in OTHERWISE.items()}
    assert len(cases) - sum(count for count, _ in otherwise.values()) == 160
