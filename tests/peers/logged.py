"""What a module logs, whatever was set up for logging before in the same process."""

from __future__ import annotations

from types import ModuleType

import pytest
import structlog


def logged(
    monkeypatch: pytest.MonkeyPatch, *modules: ModuleType
) -> list[structlog.typing.EventDict]:
    """The lines that `modules` log from now on. Their loggers are exchanged: one that was used
    after logging was set up is bound for good, and hears of no other way to go."""
    captured = structlog.testing.LogCapture()
    log = structlog.wrap_logger(
        None, [captured], structlog.make_filtering_bound_logger(0), cache_logger_on_first_use=False
    )
    for module in modules:
        monkeypatch.setattr(module, "log", log)
    return captured.entries
