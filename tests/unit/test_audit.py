"""`make audit`: what it finds in bad lists; and that the list of licences is that of today."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def audit(repository: Path) -> Iterator[ModuleType]:
    """.ci/audit.py, which is no package."""
    spec = importlib.util.spec_from_file_location("ci_audit", repository / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ci_audit"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ci_audit"]


def test_all_is_well_and_the_list_is_of_today(audit: ModuleType, repository: Path) -> None:
    problems, text = audit.examine(repository)
    assert problems == []
    assert text == (repository / "docs" / "licences.md").read_text(), "make licences"


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR Apache-2.0)", True),
        ("Apache-2.0 WITH LLVM-exception AND BSD-2-Clause", True),
        ("unknown", False),
        ("not installed", False),
        ("", False),
    ],
)
def test_licences(audit: ModuleType, licence: str, good: bool) -> None:
    found = list(audit.licence_problems([audit.Package("some", licence)]))
    assert found == (
        [] if good else [f"some: its licence is {licence}, which is not known to be permissive"]
    )


def test_an_exception_is_for_one_package_and_one_licence(audit: ModuleType) -> None:
    licence, _ = audit.EXCEPTIONS["psycopg"]
    assert list(audit.licence_problems([audit.Package("psycopg", licence)])) == []
    assert list(audit.licence_problems([audit.Package("psycopg", "GPL-3.0-only")]))
    assert list(audit.licence_problems([audit.Package("asyncpg", licence)]))


def test_pins(audit: ModuleType) -> None:
    packages = [audit.Package("numpy", "BSD-3-Clause"), audit.Package("rich", "MIT")]
    found = list(audit.pin_problems(packages, "numpy==0.1\n"))
    assert [text.partition(":")[0] for text in found] == ["numpy", "rich"]
    assert "0.1 is pinned" in found[0]
    assert "nothing is pinned" in found[1]


def test_locks(audit: ModuleType) -> None:
    good = {"version": "1.0.0", "integrity": "sha512-abc", "license": "MIT"}
    lock = {
        "packages": {
            "": {"name": "project"},
            "node_modules/good": {**good, "funding": "https://some.where"},
            "node_modules/sha1": {**good, "integrity": "sha1-abc"},
            "node_modules/none": {"version": "1.0.0"},
            "node_modules/from": {**good, "resolved": "https://some.where/from.tgz"},
            "node_modules/git": {**good, "version": "git+ssh://git@some.where/it.git"},
        }
    }
    found = [text.split()[1] for text in audit.lock_problems("lock", lock)]
    assert found == [
        "node_modules/sha1",
        "node_modules/none",
        "node_modules/from",
        "node_modules/git",
    ]
    assert [name for name, _ in audit.npm_packages(lock)] == ["from", "git", "good", "none", "sha1"]
