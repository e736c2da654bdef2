"""Inputs that fuzzing found, and those it starts from, hold for ever; needs no fuzzer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz import targets

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 1.0  # of the processor, for one input


@pytest.mark.parametrize("name", targets.names())
def test_every_saved_input_holds(name: str) -> None:
    """Each input of a target holds what the target promises, within a second."""
    one_input = targets.load(name)
    saved = sorted((CORPUS / name).iterdir())
    assert saved, "a target has inputs to start from"
    for path in (*saved, None):
        data = path.read_bytes() if path else b""
        began = time.process_time()
        try:
            one_input(data)
        except Exception as error:
            error.add_note(f"corpus/{name}/{path.name if path else '(empty)'}")
            raise
        assert time.process_time() - began < SECONDS, path


def test_the_corpus_stays_small() -> None:
    """It is for reading and for every run of the tests: no more than 300 files and 1 MB, and none
    of a target that is no more."""
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert {path.name for path in CORPUS.iterdir()} == set(targets.names())
