"""The example notebook runs from top to bottom, on an embedded PostgreSQL of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # jupyter's own, about its own future
def test_quickstart_does_the_demo(
    repository: Path, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the kernel "python3" is the interpreter that runs the tests, whatever else is installed
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    path = repository / "examples" / "quickstart.ipynb"
    # nbformat has no types
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(user_home)}})
    client.execute()
    shown = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    # 100,000 * (0.6 * 143.73/52.704 + 0.4 * 71.134/29.338), as in the demo
    assert any("260612.53" in text for text in shown)
    assert any("'completed'" in text and "0.68" in text for text in shown)
