"""Our top-level import names are generic; nobody else in the environment may own them."""

from __future__ import annotations

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["postroad", "schemas", "services", "projections"])
def test_our_names_are_ours_alone(name: str) -> None:
    """No installed distribution but ours brings a package of this name."""
    assert set(packages_distributions().get(name, ["postroad"])) == {"postroad"}
