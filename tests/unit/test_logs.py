"""Log lines: what each says without being told to."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from postroad.runtime import logs
from postroad.runtime.telemetry import Telemetry


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def test_a_line_says_which_mail_and_list_it_is_of(capfd: pytest.CaptureFixture[str]) -> None:
    """What is logged while a mail is in hand has the trace, which is the mail's id, and the list
    that a span above is about; a line that says otherwise is believed, and so is silence."""
    logs.configure("router")
    log = structlog.get_logger().bind()
    telemetry = Telemetry("router")
    with telemetry.root("0a" * 16, "router.handle") as span:
        span.attributes["postroad.list"] = "team"
        with telemetry.span("router.dns"):
            log.warning("a.warning", seq=7)
            log.warning("a.warning", list="other")
    log.warning("a.warning")
    first, second, last = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["trace"], first["list"], first["seq"]) == ("0a" * 16, "team", 7)
    assert (first["service"], first["event"], first["level"]) == ("router", "a.warning", "warning")
    assert second["list"] == "other"
    assert not {"trace", "list"} & last.keys()
