"""What people write in files and options: percents, and names that are nearly right."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from etf_backtest.errors import InvalidParametersError
from etf_backtest.errors.wording import MOST_NAMES

NUMBER = re.compile(r"[+-]?(\d[\d_]*(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?%?", re.ASCII | re.IGNORECASE)
UNKNOWN = ": extra inputs are not permitted"
"""How a model refuses a name that it does not have."""
PERIODS = ("never", "daily", "weekly", "monthly", "quarterly", "semiannual", "annual")
OTHER_WORDS = {
    "yearly": "annual",
    "annually": "annual",
    "half-yearly": "semiannual",
    "biannual": "semiannual",
    "none": "never",
    "off": "never",
}
"""What people call a period that has another name here."""

_PERCENT_IN_BANDS = re.compile(r"(?<==)\s*([0-9.]+%)")
_ABOVE_1 = re.compile(r"at most 1|less than or equal to (1|0\.\d+),")
_RECEIVED = re.compile(r"received \[?'?([\w.+-]+)'?\]?$")


def as_number(text: str) -> float | None:
    """0.005 of "0.005" or "0.5%"; None where it is no number, or too large to be one."""
    if NUMBER.fullmatch(text) is None:
        return None
    number = Decimal(text.removesuffix("%"))
    value = float(number / 100 if text.endswith("%") else number)
    return value if math.isfinite(value) else None


def with_fractions(value: object) -> object:
    """The same with each percent as a fraction: "2%", "bands(absolute=5%)"; in lists and tables."""
    if isinstance(value, str):
        if value.strip().startswith("bands("):
            return _PERCENT_IN_BANDS.sub(lambda found: repr(as_number(found[1])), value)
        number = as_number(value.replace(" ", "")) if value.endswith("%") else None
        return value if number is None else number
    if isinstance(value, Mapping):  # an amount is no fraction: its percent is refused
        return {key: v if key == "amount" else with_fractions(v) for key, v in value.items()}
    return [with_fractions(each) for each in value] if isinstance(value, list | tuple) else value


def meant(name: str, known: Iterable[str]) -> str:
    """What somebody may have meant, "did you mean monthly?", or nothing."""
    other = OTHER_WORDS.get(name.lower())
    near = [other] if other else difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else ""


def explained(
    error: InvalidParametersError,
    owner: str,
    accepted: Sequence[str],
    places: Mapping[str, str] | None = None,
) -> InvalidParametersError:
    """The error in the words of who wrote the values.

    What is accepted is listed only where a name is unknown and resembles no other.

    Parameters
    ----------
    owner : str
        Where the values stand.
    accepted : sequence of str
        The names that may stand there.
    places : mapping of str to str, optional
        Names that belong elsewhere, and where.
    """
    problems, lost = list[str](), False
    for problem in error.problems:
        if len(problems) >= MOST_NAMES:  # they are counted, and not shown
            problems.append(problem)
            continue
        name, unknown, _ = problem.partition(UNKNOWN)
        if not unknown:
            problems.append(problem + hint(problem))
            continue
        elsewhere = places or {}
        near = meant(name, (*accepted, *elsewhere))
        if name in elsewhere:
            problems.append(f"{name}: it belongs under {elsewhere[name]}")
        else:
            problems.append(f"{name}: unknown key{'; ' if near else ''}{near}")
            lost = lost or not near
    return InvalidParametersError(owner, problems, accepted=accepted if lost else ())


def hint(problem: str) -> str:
    """What to write instead, after what is wrong; nothing where there is nothing to say."""
    received = _RECEIVED.search(problem)
    if received is None:
        return ""
    if "expected never, daily" in problem:
        near = meant(received[1], PERIODS)
        return f"; {near}" if near else ""
    number = as_number(received[1])
    if number is not None and number > 1 and _ABOVE_1.search(problem):
        return f" (a fraction: {number:g} % is {number / 100:g})"
    return ""
