"""docs/prices.md lists each rule with its level, and no others; its thresholds are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etf_backtest.market.quality import (
    BAR_RULES,
    SERIES_RULES,
    distribution_rules,
    factors,
    movement_rules,
)

DOCS = Path(__file__).parents[4] / "docs" / "prices.md"


def quality_section() -> str:
    text = DOCS.read_text(encoding="utf-8")
    return re.split(r"^## ", text[text.index("## Quality: rules and levels") :], flags=re.M)[1]


def test_rules_and_levels() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \|", quality_section(), flags=re.M)
    assert dict(listed) == {**BAR_RULES, **SERIES_RULES}
    assert len(listed) == len(BAR_RULES) + len(SERIES_RULES)


@pytest.mark.parametrize(
    ("threshold", "value", "words"),
    [
        (movement_rules.STALE_SESSIONS, 5, "5 or more equal closes"),
        (movement_rules.SPIKE, 1.5, "more than 1.5 times"),
        (movement_rules.JUMP, 0.10, "more than 0.10"),
        (movement_rules.JUMP_SIGMAS, 10, "more than 10 daily volatilities"),
        (movement_rules.NEIGHBOURS, 10, "of the 10 sessions before and after"),
        (movement_rules.RATIO_TOLERANCE, 0.02, "within 2 %"),
        (movement_rules.WHOLE_RATIO_SIGMAS, 3, "or 3 daily volatilities"),
        (movement_rules.WHOLE_RATIO_TOLERANCE, 0.10, "at most 10 %"),
        (distribution_rules.LEAST_TELLING_SPLIT, 0.05, "above 0.05"),
        (distribution_rules.TELLING_SIGMAS, 4, "above 4 daily volatilities"),
        (factors.LEAST_MOVES, 20, "fewer than 20 moves"),
    ],
)
def test_thresholds(threshold: float, value: float, words: str) -> None:
    assert threshold == value
    assert words in " ".join(quality_section().split())
