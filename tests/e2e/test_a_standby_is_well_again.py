"""A relay that stands by failed once, and nobody needs it since."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.sending import routing
from tests.e2e.system import until


async def test_the_status_says_when_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked now and then, so that nobody is called for what is mended."""
    shorter = "from services.sender import standby\nstandby.UNUSED = 0.5\n"
    (tmp_path / "sitecustomize.py").write_text(shorter)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    async with routing(tmp_path, {"main": {}, "spare": {"weight": "0"}}) as here:
        for sink in here.sinks.values():
            await sink.daemon.stop()
        everyone = await here.queue(await here.post(1), 0, 5)

        async def both_fail() -> bool:
            return not any([(await here.facts(name))[0] for name in here.sinks])

        await until(both_fail, "both were tried in vain")
        await here.sinks["main"].daemon.start()
        await here.arrived(everyone)
        assert not (await here.facts("spare"))[0]
        await here.sinks["spare"].daemon.start()

        async def well() -> bool:
            return (await here.facts("spare"))[0]

        await until(well, "the spare works again")
        assert not here.got("spare")
