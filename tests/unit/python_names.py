"""What names in Python stand for: modules, scopes, and what is given to a name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

TRUSTED_TYPES: Final = frozenset(
    {
        *("LiteralString", "Composed", "LiteralString | None", "Composed | None"),
        *("Iterable[Composed]", "Sequence[Composed]"),
    }
)
"""Of parameters: whoever calls is checked (LiteralString), or what made it (Composed; mypy)."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """A file: what its names stand for."""

    name: str
    path: str
    tree: ast.Module
    constants: dict[str, list[ast.expr]] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """What a name is in a scope: an expression of another scope, or one of its elements."""

    value: ast.expr
    scope: Scope
    is_element: bool = False


@dataclass(frozen=True)
class Scope:
    """Where an expression stands."""

    module: Module
    function: Function | None = None
    bound: Mapping[str, Bound] = field(default_factory=dict)
    depth: int = 0

    def with_bound(self, names: Mapping[str, Bound]) -> Scope:
        return Scope(self.module, self.function, {**self.bound, **names}, self.depth)


def read_module(name: str, path: str, text: str) -> Module:
    module = Module(name, path, ast.parse(text))
    for node in module.tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    module.constants.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            module.constants.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.ClassDef):
            methods = {each.name: each for each in node.body if isinstance(each, Function)}
            module.functions = methods | module.functions
    module.functions |= {node.name: node for node in module.tree.body if isinstance(node, Function)}
    for found in ast.walk(module.tree):
        if isinstance(found, ast.ImportFrom) and found.module:
            for alias in found.names:
                module.imports[alias.asname or alias.name] = (found.module, alias.name)
        elif isinstance(found, ast.Import):
            for alias in found.names:
                module.imports[alias.asname or alias.name] = (alias.name, None)
    return module


def local_values(function: Function | None, name: str) -> list[tuple[ast.expr, bool]]:
    """All that a local name is given, each with whether it is one of its elements."""
    found: list[tuple[ast.expr, bool]] = []
    if function is None:
        return found
    for argument in parameters(function):
        if argument.arg == name:
            safe = annotation(argument) in TRUSTED_TYPES
            found.append((ast.Constant("" if safe else None), False))
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id == name and node.value is not None:
                    found.append((node.value, False))
                elif not isinstance(target, ast.Name) and _binds(target, name):
                    found.append((ast.Constant(None), False))  # taken apart: not followed
        elif isinstance(node, ast.For | ast.AsyncFor) and _binds(node.target, name):
            found.append((node.iter, True))
        elif (
            isinstance(node, ast.withitem)
            and node.optional_vars is not None
            and _binds(node.optional_vars, name)
        ):
            found.append((ast.Constant(None), False))
    return found


def _binds(target: ast.expr, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id == name
        for n in ast.walk(target)
    )


def parameters(function: Function) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def annotation(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation is not None else ""


def called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def sources_of(repository: Path) -> dict[str, tuple[str, str]]:
    """The package and the seed, less what is generated."""
    files = [*(repository / "etf_backtest").rglob("*.py"), repository / "prisma" / "seed.py"]
    generated = repository / "etf_backtest" / "database" / "client"
    return {
        ".".join(path.relative_to(repository).with_suffix("").parts).removesuffix(".__init__"): (
            str(path.relative_to(repository)),
            path.read_text(encoding="utf-8"),
        )
        for path in files
        if generated not in path.parents
    }
