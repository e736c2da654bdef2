"""What is fuzzed: one file for each reader of what strangers write.

Each has `one_input(data)`, which fails where an octet string makes the reader raise, lose a part,
or say what nobody may say. It is the same for `python -m tests.fuzz`, which makes up inputs, and
for `test_saved_inputs.py`, which tries those that are kept under `corpus/`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

OneInput = Callable[[bytes], None]


def names() -> list[str]:
    """Every target."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> OneInput:
    """The function that tries one input on this target."""
    found: OneInput = importlib.import_module(f"{__name__}.{name}").one_input
    return found
