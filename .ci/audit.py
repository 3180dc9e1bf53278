#!/usr/bin/env python
"""What we are built on: licences, versions and hashes, checked without asking anybody outside.

Checks the closure of what `pip install etf-backtest[...]` brings, and both package-lock.json:

- every licence is permissive, or an exception below, which says why;
- every distribution is installed as `.ci/constraints.txt` has it;
- every npm package has a SHA-512 and names no address that it comes from;
- docs/licences.md is what `--write` would write.

Whether a version has a known weakness cannot be told offline: see docs/security.md.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ("package-lock.json", "etf_backtest/database/studio/npm/package-lock.json")
LIST: Final = "docs/licences.md"

PERMISSIVE: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0"),
        *("ISC", "MIT", "MIT-0", "PSF-2.0", "PostgreSQL", "Unlicense", "Zlib"),
        "Apache-2.0 WITH LLVM-exception",
    }
)
_LGPL: Final = "in the extra `worker` alone, used as it is"
EXCEPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "certifi": ("MPL-2.0", "a list of certificates, used as it is"),
    "psycopg": ("LGPL-3.0-only", _LGPL),
    "psycopg-binary": ("LGPL-3.0-only", _LGPL),
    "psycopg-pool": ("LGPL-3.0-only", _LGPL),
    "elkjs": ("EPL-2.0", "Prisma Studio draws with it; fetched on its first use, in no release"),
}
"""Packages whose licence is not permissive: which, and why they may be there."""

_SPDX: Final[Mapping[str, str]] = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""How packages without an SPDX expression call theirs ("BSD" is somewhat vague, but permissive)."""

# the list is the same wherever it is written
_ENVIRONMENT: Final = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


class Package(NamedTuple):
    """A package and its licence, as an SPDX expression where one can be told."""

    name: str
    licence: str


def closure(requirements: list[str]) -> list[str]:
    """The canonical names of distributions that these requirements bring, in order."""
    seen: dict[str, set[str]] = {}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        known = seen.setdefault(canonicalize_name(wanted.name), set())
        extras = ({""} | wanted.extras) - known
        known |= extras
        if extras:
            waiting += _needs(wanted.name, extras)
    return sorted(seen)


def _needs(name: str, extras: set[str]) -> Iterator[Requirement]:
    try:
        requires = distribution(name).requires or ()
    except PackageNotFoundError:
        return  # said where its licence is looked up
    for requirement in map(Requirement, requires):
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({**_ENVIRONMENT, "extra": extra}) for extra in extras
        ):
            yield requirement


def licence_of(found: Distribution) -> str:
    """The licence that a distribution says it has; "unknown" where that cannot be told."""
    # the types of the standard library know no such thing as a field that may be missing
    metadata: Any = found.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    named = str(metadata.get("License") or "").strip()
    classifiers = [
        text.rpartition("::")[2].strip()
        for text in metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    for text in (named, *classifiers):
        spdx = _SPDX.get(text.lower())
        if spdx is not None or text in PERMISSIVE or text.startswith(("LGPL-", "MPL-")):
            return spdx or text
    return "unknown"


def is_permissive(expression: str) -> bool:
    """Whether an SPDX expression (without parentheses) leaves us a permissive licence."""
    text = expression.strip("()")
    if " OR " in text:
        return any(is_permissive(part) for part in text.split(" OR "))
    return all(part.strip() in PERMISSIVE for part in text.split(" AND "))


def python_packages(project: Mapping[str, Any]) -> dict[str, list[Package]]:
    """What the core brings, and what each extra brings beside it."""
    core = closure(project["dependencies"])
    groups = {"core": core}
    for extra, requirements in project["optional-dependencies"].items():
        groups[f"extra `{extra}`"] = [n for n in closure(requirements) if n not in core]
    return {group: [_package(name) for name in names] for group, names in groups.items()}


def _package(name: str) -> Package:
    try:
        return Package(name, licence_of(distribution(name)))
    except PackageNotFoundError:
        return Package(name, "not installed")


def npm_packages(lock: Mapping[str, Any]) -> list[Package]:
    """What a package-lock.json names, each once."""
    packages = {
        Package(path.rpartition("node_modules/")[2], _spelled(entry.get("license", "unknown")))
        for path, entry in lock["packages"].items()
        if path
    }
    return sorted(packages)


def _spelled(licence: str) -> str:
    """As SPDX spells it: its operators in capitals."""
    return re.sub(r" (and|or) ", lambda found: found[0].upper(), licence)


def licence_problems(packages: list[Package]) -> Iterator[str]:
    """Licences that are neither permissive nor an exception."""
    for name, licence in packages:
        is_known = name in EXCEPTIONS and EXCEPTIONS[name][0] == licence
        if not is_known and not is_permissive(licence):
            yield f"{name}: its licence is {licence}, which is not known to be permissive"


def pin_problems(packages: list[Package], constraints: str) -> Iterator[str]:
    """Distributions that are not installed as they are pinned."""
    pins: dict[str, str] = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE)
    }
    for name, licence in packages:
        if licence == "not installed":
            continue
        version = distribution(name).version
        if pins.get(name) != version:
            yield f"{name}: {version} is installed, {pins.get(name, 'nothing')} is pinned"


def lock_problems(path: str, lock: Mapping[str, Any]) -> Iterator[str]:
    """Entries of a package-lock.json that anybody could exchange, or that name an address."""
    for name, entry in lock["packages"].items():
        if name and not str(entry.get("integrity", "")).startswith("sha512-"):
            yield f"{path}: {name} has no SHA-512"
        if "resolved" in entry or "://" in json.dumps({**entry, "funding": "", "engines": ""}):
            yield f"{path}: {name or 'the project'} names an address"


def licence_list(groups: Mapping[str, list[Package]]) -> str:
    """The text of docs/licences.md."""
    lines = [
        "# Licences of what we are built on",
        "",
        "Written by `make licences`, checked by `make audit`. Python packages are those that",
        "`pip install etf-backtest` brings on Linux, and what each extra brings beside them; npm",
        "packages those of the two package-lock.json. What only development needs is not in a",
        "release, and not here.",
        "",
        "All are permissive but these:",
        "",
    ]
    lines += [f"- {name} ({licence}): {why}" for name, (licence, why) in EXCEPTIONS.items()]
    for group, packages in groups.items():
        lines += ["", f"## {group[0].upper()}{group[1:]}", "", "| package | licence |", "|---|---|"]
        lines += [f"| {name} | {licence} |" for name, licence in packages]
    return "\n".join(lines) + "\n"


def examine(repository: Path) -> tuple[list[str], str]:
    """All problems, and the list of licences."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    groups = python_packages(project)
    everything = [package for packages in groups.values() for package in packages]
    problems = [*pin_problems(everything, (repository / ".ci/constraints.txt").read_text())]
    for path in LOCKS:
        lock = json.loads((repository / path).read_text())
        problems += lock_problems(path, lock)
        groups[f"npm: {Path(path).parent.name or 'engine and CLI'}"] = npm_packages(lock)
    everything = [package for packages in groups.values() for package in packages]
    problems += licence_problems(everything)
    gone = EXCEPTIONS.keys() - {package.name for package in everything}
    problems += [f"{name}: an exception that is not needed" for name in sorted(gone)]
    return sorted(set(problems)), licence_list(groups)


def main() -> int:
    """Check, or write the list of licences; 1 where something is wrong."""
    problems, text = examine(REPOSITORY)
    listed = REPOSITORY / LIST
    if "--write" in sys.argv[1:]:
        listed.write_text(text)
    elif not listed.exists() or listed.read_text() != text:
        problems.append(f"{LIST} is not what it would be now: make licences")
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print("licences, pins and hashes are as they should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
