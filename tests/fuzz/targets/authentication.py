"""Authentication-Results: what cannot be read in one way proves nothing."""

from __future__ import annotations

from postroad.mail.authentication import MICROSOFT365, authenticated, read_results, without_forged
from postroad.mail.headers import scan
from tests.fuzz.taking import text

OURS = "mx.example.org"
REAL = b"Authentication-Results: mx.example.org; none\r\nFrom: ann@example.net\r\n"


def one_input(data: bytes) -> None:
    """A value of the field, or a header block with several."""
    if found := read_results(text(data)):
        server, results = found
        assert server == server.lower()
        assert all(each.method and each.result for each in results)
    for server in (OURS, MICROSOFT365, ""):
        assert authenticated(scan(data)[0], server) in (True, False)
    # whatever came in stands below what our own server wrote, which said nothing
    assert not authenticated(scan(REAL + data)[0], OURS)
    kept = without_forged(data, OURS)
    assert len(kept) <= len(data)
    assert without_forged(kept, OURS) == kept
