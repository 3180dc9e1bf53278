"""Reads Python for statements that are made from values.

A statement may be a constant, or be put together from constants and from names that were quoted:
by `etf_backtest.database.identifiers`, by the driver (`psycopg.sql`), or by the server (`format`
with %I and %L). What a name stands for is followed through assignments, modules, comprehensions
and functions. What cannot be followed is refused, also where it happens to be harmless.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.unit.python_names import (
    Bound,
    Function,
    Module,
    Scope,
    annotation,
    called,
    local_values,
    parameters,
    read_module,
)
from tests.unit.server_format import puts_names_in_quotes

SINKS: Final = frozenset(
    {
        *("execute", "executemany", "execute_many", "fetch", "fetchrow", "fetchval", "fetchmany"),
        *("cursor", "prepare", "copy_from_query", "stream", "copy"),
        *("query_raw", "query_first", "execute_raw"),
        *("execute_query", "execute_query_one", "execute_query_all", "execute_query_async"),
        *("execute_query_one_async", "execute_query_all_async"),
    }
)
"""Methods whose first argument is a statement. (`copy_to_table` and its like quote their names.)"""
QUERY_NAMES: Final = ("query", "sql", "statement", "operation")
QUOTING: Final = frozenset({"quote_identifier", "keyword"})
PSYCOPG_PARTS: Final = frozenset({"Identifier", "Literal", "Placeholder"})


@dataclass(frozen=True)
class Problem:
    """A statement that is not known to be harmless."""

    path: str
    line: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} in {self.function or 'the module'}: {self.text}"


class Checker:
    """Checks modules, which may use each other's constants and functions."""

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        """Take source texts by the name of their module, each with its path."""
        self.modules = {
            name: read_module(name, path, text) for name, (path, text) in sources.items()
        }
        self._literal_only = list(self._functions_of_literals())

    def problems(self) -> Iterator[Problem]:
        for module in self.modules.values():
            yield from self._of_body(module.tree, Scope(module), "")

    def _functions_of_literals(self) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
        """Functions with parameters of the type LiteralString: their callers are checked."""
        for module in self.modules.values():
            for node in ast.walk(module.tree):
                if isinstance(node, Function):
                    names = [argument.arg for argument in parameters(node)]
                    skip = int(names[:1] in (["self"], ["cls"]))
                    marked = [
                        (place - skip, argument.arg)
                        for place, argument in enumerate(parameters(node))
                        if annotation(argument).startswith("LiteralString")
                    ]
                    if marked:
                        yield module.name, node.name, marked

    def _of_body(self, node: ast.AST, scope: Scope, function: str) -> Iterator[Problem]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                inner = Scope(scope.module, child, scope.bound)
                if scope.function is not None:  # a function in a function sees the outer's names
                    inner = inner.with_bound(self._outer(scope))
                yield from self._of_body(child, inner, child.name)
                continue
            if isinstance(child, ast.Call):
                yield from self._of_call(child, scope, function)
            if isinstance(child, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
                within = self._comprehension(child, scope)
                yield from self._of_body(child, within, function)
                continue
            yield from self._of_body(child, scope, function)

    def _outer(self, scope: Scope) -> dict[str, Bound]:
        assert scope.function is not None
        names = {
            target.id
            for node in ast.walk(scope.function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        } | {argument.arg for argument in parameters(scope.function)}
        return {name: Bound(ast.Name(name, ast.Load()), scope) for name in names}

    def _of_call(self, call: ast.Call, scope: Scope, function: str) -> Iterator[Problem]:
        for given in self._statements(call, scope):
            if not self.is_safe(given, scope):
                yield Problem(scope.module.path, given.lineno, function, ast.unparse(given)[:100])

    def _statements(self, call: ast.Call, scope: Scope) -> Iterator[ast.expr]:
        """The arguments that must be statements of ours."""
        name = called(call)
        if name == "Composed" or (name in SINKS and isinstance(call.func, ast.Attribute)):
            named = [word.value for word in call.keywords if word.arg in QUERY_NAMES]
            first = call.args[0] if call.args else None
            if isinstance(first, ast.Starred):  # *(statement, argument, ...)
                first = first.value.elts[0] if isinstance(first.value, ast.Tuple) else first.value
            yield from named if first is None else [first]
        for module, function, marked in self._literal_only:
            if name != function or (name.startswith("_") and module != scope.module.name):
                continue
            for place, parameter in marked:
                yield from (word.value for word in call.keywords if word.arg == parameter)
                if place < len(call.args):
                    yield call.args[place]

    def is_safe(self, value: ast.expr, scope: Scope) -> bool:
        """Whether it is made of constants and quoted names alone."""
        if scope.depth > 40:
            return False
        scope = Scope(scope.module, scope.function, scope.bound, scope.depth + 1)
        match value:
            case ast.Constant():
                return isinstance(value.value, str | int | float)
            case ast.JoinedStr():
                return all(self.is_safe(part, scope) for part in value.values)
            case ast.FormattedValue():
                return self.is_safe(value.value, scope)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                # text plus a number is an error in Python: it is a number
                if any(_is_number(side) for side in (value.left, value.right)):
                    return True
                return self.is_safe(value.left, scope) and self.is_safe(value.right, scope)
            case ast.IfExp():
                return self.is_safe(value.body, scope) and self.is_safe(value.orelse, scope)
            case ast.BoolOp():
                return all(self.is_safe(part, scope) for part in value.values)
            case ast.NamedExpr():
                return self.is_safe(value.value, scope)
            case ast.Await():
                return self._is_quoted_by_server(value.value, scope)
            case ast.Subscript():
                return self._has_safe_elements(value.value, scope)
            case ast.Name() | ast.Attribute():
                return self._is_safe_name(value, scope, elements=False)
            case ast.Call():
                return self._is_safe_call(value, scope)
        return False

    def _is_quoted_by_server(self, value: ast.expr, scope: Scope) -> bool:
        """`fetchval("SELECT format('... %I ...', $1)", name)`: values only as %I and %L."""
        if not isinstance(value, ast.Call) or not value.args:
            return False
        if called(value) not in ("fetchval", "fetch", "fetchrow"):
            return False
        found: list[ast.expr] = []
        if isinstance(value.args[0], ast.Constant):
            found = [value.args[0]]
        elif isinstance(value.args[0], ast.Name):
            found = [place.value for place in self._look_up(value.args[0], scope)]
        texts = [each.value for each in found if isinstance(each, ast.Constant)]
        return len(texts) == len(found) > 0 and all(
            isinstance(text, str) and puts_names_in_quotes(text) for text in texts
        )

    def _is_safe_name(self, value: ast.expr, scope: Scope, *, elements: bool) -> bool:
        places = list(self._look_up(value, scope))
        return bool(places) and all(
            self._has_safe_elements(place.value, place.scope)
            if elements or place.is_element
            else self.is_safe(place.value, place.scope)
            for place in places
        )

    def _look_up(self, value: ast.expr, scope: Scope) -> Iterator[Bound]:
        """All that a name may stand for; nothing where that is not known."""
        if isinstance(value, ast.Attribute):
            module = self._module(value.value, scope)
            if module is not None:
                yield from self._constant(module, value.attr, scope.depth)
            return
        assert isinstance(value, ast.Name)
        if value.id in scope.bound:
            yield scope.bound[value.id]
        elif own := local_values(scope.function, value.id):
            for expression, is_element in own:
                yield Bound(expression, scope, is_element)
        elif value.id in scope.module.constants or value.id in scope.module.imports:
            yield from self._constant(scope.module, value.id, scope.depth)

    def _constant(self, module: Module, name: str, depth: int) -> Iterator[Bound]:
        if name in module.constants:
            for value in module.constants[name]:
                yield Bound(value, Scope(module, None, {}, depth + 1))
        elif name in module.imports:
            source, attribute = module.imports[name]
            if attribute is not None and source in self.modules and depth < 40:
                yield from self._constant(self.modules[source], attribute, depth + 1)

    def _module(self, value: ast.expr, scope: Scope) -> Module | None:
        if not isinstance(value, ast.Name) or value.id not in scope.module.imports:
            return None
        source, attribute = scope.module.imports[value.id]
        return self.modules.get(source if attribute is None else f"{source}.{attribute}")

    def _is_safe_call(self, call: ast.Call, scope: Scope) -> bool:
        name = called(call)
        if name in ("int", "len"):  # a number
            return True
        if name in QUOTING or (name in PSYCOPG_PARTS and isinstance(call.func, ast.Attribute)):
            return True
        given = [*call.args, *(word.value for word in call.keywords)]
        if name in ("str", "Composed", "SQL", "dedent"):
            return all(self.is_safe(part, scope) for part in given)
        if isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if name == "join" and len(given) == 1:
                return self.is_safe(owner, scope) and self._has_safe_elements(given[0], scope)
            if name == "format" and isinstance(owner, ast.Call) and called(owner) == "SQL":
                return self.is_safe(owner, scope)  # the driver quotes whatever comes
            if name in ("format", "replace", "strip", "removesuffix", "as_string"):
                return self.is_safe(owner, scope) and all(self.is_safe(p, scope) for p in given)
        return self._returns_safe(call, scope)

    def _returns_safe(self, call: ast.Call, scope: Scope) -> bool:
        """A function of ours: all that it returns, with these arguments."""
        found = self._function(call.func, scope)
        if found is None:
            return False
        module, function = found
        names = [argument.arg for argument in parameters(function)]
        names = names[int(names[:1] == ["self"]) :]
        bound = {name: Bound(v, scope) for name, v in zip(names, call.args, strict=False)}
        bound |= {word.arg: Bound(word.value, scope) for word in call.keywords if word.arg}
        inner = Scope(module, function, bound, scope.depth + 1)
        returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
        return bool(returned) and all(v is not None and self.is_safe(v, inner) for v in returned)

    def _function(self, value: ast.expr, scope: Scope) -> tuple[Module, Function] | None:
        if isinstance(value, ast.Attribute):
            is_own = isinstance(value.value, ast.Name) and value.value.id == "self"
            module = scope.module if is_own else self._module(value.value, scope)
            name = value.attr
        elif isinstance(value, ast.Name):
            module, name = scope.module, value.id
            if name in module.imports and module.imports[name][1] is not None:
                source, attribute = module.imports[name]
                module, name = self.modules.get(source), str(attribute)
        else:
            return None
        if module is None or name not in module.functions:
            return None
        return module, module.functions[name]

    def _has_safe_elements(self, value: ast.expr, scope: Scope) -> bool:
        match value:
            case ast.Constant():
                return isinstance(value.value, str)
            case ast.Tuple() | ast.List() | ast.Set():
                return all(
                    self._has_safe_elements(each.value, scope)
                    if isinstance(each, ast.Starred)
                    else self.is_safe(each, scope) or self._has_safe_elements(each, scope)
                    for each in value.elts
                )
            case ast.Dict():
                return all(
                    self.is_safe(each, scope)
                    for each in (*(key for key in value.keys if key), *value.values)
                )
            case ast.Await():
                return self._is_quoted_by_server(value.value, scope)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self.is_safe(value.elt, self._comprehension(value, scope))
            case ast.Name() | ast.Attribute():
                return self._is_safe_name(value, scope, elements=True)
            case ast.Call():
                name = called(value)
                if name in ("items", "keys", "values") and isinstance(value.func, ast.Attribute):
                    return self._has_safe_elements(value.func.value, scope)
                if name in ("tuple", "list", "sorted", "frozenset", "MappingProxyType"):
                    return all(self._has_safe_elements(each, scope) for each in value.args)
        return False

    def _comprehension(
        self, value: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, scope: Scope
    ) -> Scope:
        for generator in value.generators:
            names = [n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name)]
            bound = {name: Bound(generator.iter, scope, is_element=True) for name in names}
            scope = scope.with_bound(bound)
        return scope


def _is_number(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, int)
