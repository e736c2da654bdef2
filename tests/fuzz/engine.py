"""One target under libFuzzer: `python -m tests.fuzz.engine TARGET [libFuzzer's own arguments]`.

It ends the process, so each target has one.
"""

from __future__ import annotations

import sys

import atheris

from tests.fuzz import targets


def main() -> None:
    """Make up inputs, guided by which lines of ours they reach, until one fails or time is up."""
    with atheris.instrument_imports(include=["postroad", "services", "schemas", "projections"]):
        one_input = targets.load(sys.argv[1])
    one_input(b"")  # what is compiled once is not counted as an input's time
    atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
