"""Whether a text names somebody who is to be erased."""

from __future__ import annotations

import json

import pytest

from services.membership.naming import names

ANN = "ann@example.org"


@pytest.mark.parametrize(
    "text",
    [
        ANN,
        "Ann@Example.ORG",
        f"To: Ann <{ANN}>, bob@example.net",
        f"see mailto:{ANN}?subject=hi",
        f"{ANN}.",
        json.dumps(f"Write to\n{ANN}\nor\t{ANN}"),
        json.dumps({"bans": [r"^ann@example\.org$"]}),
    ],
)
def test_an_address_is_found(text: str) -> None:
    """In whatever case and between whatever marks, in JSON and in patterns of settings, too."""
    assert names(text, ["other@example.org", ANN])


@pytest.mark.parametrize(
    "text",
    [
        f"x.{ANN}",
        f"joann+{ANN}",
        "joann@example.org",
        f"{ANN}.example",
        f"{ANN}-isation",
        "ann at example.org",
        "",
    ],
)
def test_the_address_of_another_is_another(text: str) -> None:
    """Whose address only holds it is not named."""
    assert not names(text, [ANN])


def test_letters_that_fold_into_several_are_found() -> None:
    """An address is compared as the text is."""
    assert names("An Straße@example.org", ["straße@example.org"])
