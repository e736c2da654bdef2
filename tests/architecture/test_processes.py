"""Who may start a program: mail is made of strings that a shell would obey."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.test_tree import PRODUCT, python_files, relative

STARTING = {
    *("subprocess", "multiprocessing", "pty", "create_subprocess_exec", "create_subprocess_shell"),
    *("subprocess_exec", "subprocess_shell", "system", "popen", "Popen", "posix_spawn", "fork"),
    *("execv", "execve", "execvp", "execl", "execlp", "spawnv", "spawnl", "ProcessPoolExecutor"),
}
SHELLS = {"create_subprocess_shell", "subprocess_shell", "system", "popen"}
# All of it is by list of arguments, and none of the arguments is of a mail.
MAY = {
    "postroad/cli/demo/installation.py",  # the command itself, as a user runs it
    "postroad/cli/doctor/probe/broker.py",  # nats-server --version
    "postroad/runtime/alarms/telling.py",  # the operator's command, a text of ours its input
    "postroad/cli/nursery.py",  # the services
    "postroad/runtime/embedded.py",  # the broker
    "postroad/runtime/nursery.py",  # what they are forked from
    "services/projector/snapshot.py",  # what copies the analytics
    "services/router/content/workers.py",  # what takes mails apart
}


def words(tree: ast.AST) -> set[str]:
    """Names that this module imports, or looks up in another, to start something."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in (*names, *(each.name for each in node.names)):
                found |= {*name.split(".")} & STARTING
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & STARTING
    return found


@pytest.fixture(scope="module")
def starting() -> dict[str, set[str]]:
    """With which words each module of the product starts something; read once for all tests."""
    return {relative(path): words(ast.parse(path.read_text())) for path in python_files(*PRODUCT)}


def test_no_service_starts_a_program(starting: dict[str, set[str]]) -> None:
    """But for the router, which starts workers: it is the one exception among services."""
    assert {name for name, found in starting.items() if found} == MAY


def test_nothing_goes_through_a_shell(starting: dict[str, set[str]]) -> None:
    """Not even what the operator wrote."""
    assert not [name for name, found in starting.items() if found & SHELLS]
