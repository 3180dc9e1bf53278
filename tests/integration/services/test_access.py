"""What the matrix does not have: names, beginnings of ids, suggestions, owners, and accidents."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.models import Backtest, Portfolio
from etf_backtest.errors import (
    AmbiguousIdError,
    NameTakenError,
    NotFoundError,
    OthersPortfolioError,
    StrategyInUseError,
)
from etf_backtest.services.attribution import attribute
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.owners import owners_of
from etf_backtest.services.portfolios import (
    create_portfolio,
    delete_portfolio,
    find_portfolio,
    list_portfolios,
)
from etf_backtest.services.sharing import (
    copy_portfolio,
    share_backtest,
    share_portfolio,
    unshare_portfolio,
)
from etf_backtest.services.stored_backtests import (
    delete_backtest,
    find_backtest,
    id_bounds,
    list_backtests,
)
from etf_backtest.services.strategies import create_strategy, delete_strategy, find_strategy
from etf_backtest.services.verification import verify_backtest
from tests.integration.services.conftest import HALF, AddPrices

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
async def people(db: Database, add_prices: AddPrices) -> None:
    """Ann and Bob, each with a portfolio `mine`; Ann shares hers."""
    await db.user.create(
        data={"email": ANN, "passwordHash": "!", "firstName": " Ann ", "lastName": "Lee"}
    )
    await db.user.create(data={"email": BOB, "passwordHash": "!"})
    for symbol in ("AAA", "BBB"):
        await add_prices(symbol, ["10", "11", "12", "13"])
    for user in (ANN, BOB):
        await create_portfolio(db, name="mine", allocations=HALF, user=user)
    await share_portfolio(db, "mine", user=ANN)


async def anns(db: Database) -> Portfolio:
    return await find_portfolio(db, "mine", user=ANN)


async def run(db: Database, user: str, *, backtest_id: str | None = None) -> Backtest:
    """A stored run; its id is changed to one that a test knows."""
    strategy = "buy-and-hold"
    done = (await run_backtest(db, portfolio="mine", strategy=strategy, user=user)).backtest
    if backtest_id is not None:
        await db.execute_raw("ALTER TABLE backtests DISABLE TRIGGER USER")
        await db.execute_raw("DELETE FROM performance_metrics")
        await db.execute_raw(
            "UPDATE backtests SET id = $1::uuid WHERE id = $2::uuid", backtest_id, done.id
        )
        await db.execute_raw("ALTER TABLE backtests ENABLE TRIGGER USER")
        return await db.backtest.find_unique_or_raise(where={"id": backtest_id})
    return done


@pytest.mark.usefixtures("people")
async def test_a_name_is_one_of_ones_own(db: Database) -> None:
    """Bob's `mine` is Bob's, though everybody may see Ann's."""
    own = await find_portfolio(db, "mine", to="see", user=BOB)
    assert own.id != (await anns(db)).id
    await delete_portfolio(db, "mine", user=BOB)
    with pytest.raises(NotFoundError, match=r"^there is no portfolio 'mine' \(see etf-backtest"):
        await find_portfolio(db, "mine", to="see", user=BOB)
    assert (await anns(db)).name == "mine"


@pytest.mark.usefixtures("people")
async def test_suggestions_are_ones_own_names(db: Database) -> None:
    await create_portfolio(db, name="retirement", allocations=HALF, user=ANN)
    await create_strategy(db, name="half-year", kind="momentum", user=ANN)
    await share_portfolio(db, "retirement", user=ANN)
    with pytest.raises(NotFoundError, match="did you mean retirement"):
        await find_portfolio(db, "retirment", user=ANN)
    with pytest.raises(NotFoundError, match="did you mean half-year"):
        await find_strategy(db, "halfyear", user=ANN)
    for find in (
        find_portfolio(db, "retirment", to="see", user=BOB),
        find_portfolio(db, "retirment", to="run", user=BOB),
        find_strategy(db, "halfyear", to="see", user=BOB),
    ):
        with pytest.raises(NotFoundError) as absent:
            await find
        assert "did you mean" not in str(absent.value)
        assert not {"retirement", "half-year"} & set(absent.value.known)


@pytest.mark.usefixtures("people")
async def test_an_id_in_any_spelling_is_found_and_one_beside_it_is_not_suggested(
    db: Database,
) -> None:
    row = await anns(db)
    for spelled in (row.id.upper(), row.id.replace("-", ""), f"{{{row.id}}}"):
        assert (await find_portfolio(db, spelled, to="see", user=BOB)).id == row.id
    last = "0" if row.id[-1] != "0" else "1"
    with pytest.raises(NotFoundError) as absent:
        await find_portfolio(db, row.id[:-1] + last, to="see", user=BOB)
    assert row.id not in str(absent.value)


@pytest.mark.usefixtures("people")
async def test_what_is_no_text_is_nothing_that_is_there(db: Database) -> None:
    """The engine refuses to send a NUL or half of a character, in words of its own."""
    for name in ("a\0b", "\ud83d", "\udcff"):
        for find in (find_portfolio, find_strategy, find_backtest):
            with pytest.raises(NotFoundError):
                await find(db, name, to="see", user=BOB)


@pytest.mark.parametrize(
    ("beginning", "bounds"),
    [
        ("", None),
        ("-", None),
        ("3F", ("3f000000-0000-0000-0000-000000000000", "3fffffff-ffff-ffff-ffff-ffffffffffff")),
        (
            "01234567-89a",
            ("01234567-89a0-0000-0000-000000000000", "01234567-89af-ffff-ffff-ffffffffffff"),
        ),
        (
            "0123456789a",
            ("01234567-89a0-0000-0000-000000000000", "01234567-89af-ffff-ffff-ffffffffffff"),
        ),
        (
            "01234567-",
            ("01234567-0000-0000-0000-000000000000", "01234567-ffff-ffff-ffff-ffffffffffff"),
        ),
        (
            "01234567-89ab-4def-8123-456789abcde",
            ("01234567-89ab-4def-8123-456789abcde0", "01234567-89ab-4def-8123-456789abcdef"),
        ),
        ("012-4", None),
        ("3g", None),
        ("%", None),
        ("٣", None),
        ("0" * 33, None),
        ("01234567-89ab-4def-8123-456789abcdef0", None),
        ("\x00", None),
    ],
)
def test_the_beginning_of_an_id(beginning: str, bounds: tuple[str, str] | None) -> None:
    assert id_bounds(beginning) == bounds


@pytest.mark.usefixtures("people")
async def test_ones_own_go_before_what_others_share(db: Database) -> None:
    """Nobody can get between somebody and their own backtest by sharing one with a like id."""
    shared = await run(db, ANN, backtest_id="3f000000-0000-4000-8000-000000000001")
    await share_backtest(db, shared.id, user=ANN)
    assert (await find_backtest(db, "3f", to="see", user=BOB)).id == shared.id
    with pytest.raises(NotFoundError):
        await find_backtest(db, "3f", user=BOB)
    own = await run(db, BOB, backtest_id="3f000000-0000-4000-8000-000000000002")
    for beginning in ("3f", "3f000000-0000-4000-8000-00000000000"):
        assert (await find_backtest(db, beginning, to="see", user=BOB)).id == own.id
        assert (await find_backtest(db, beginning, user=BOB)).id == own.id
    assert (await find_backtest(db, shared.id, to="see", user=BOB)).id == shared.id


@pytest.mark.usefixtures("people")
async def test_more_than_one_is_said_of_visible_ones_only(db: Database) -> None:
    first = await run(db, ANN, backtest_id="3f000000-0000-4000-8000-000000000001")
    second = await run(db, ANN, backtest_id="3f000000-0000-4000-8000-000000000002")
    with pytest.raises(AmbiguousIdError, match=r"^2 backtests have an id that begins with '3f'"):
        await find_backtest(db, "3f", user=ANN)
    with pytest.raises(NotFoundError):
        await find_backtest(db, "3f", to="see", user=BOB)
    await share_backtest(db, first.id, user=ANN)
    assert (await find_backtest(db, "3f", to="see", user=BOB)).id == first.id
    await share_backtest(db, second.id, user=ANN)
    with pytest.raises(AmbiguousIdError, match=r"^2 backtests"):
        await find_backtest(db, "3f", to="see", user=BOB)
    await unshare_portfolio(db, "mine", user=ANN)
    with pytest.raises(NotFoundError):
        await find_backtest(db, "3f", to="see", user=BOB)


@pytest.mark.usefixtures("people")
async def test_what_was_shared_is_visible_again_with_its_portfolio(db: Database) -> None:
    row = await run(db, ANN)
    await share_backtest(db, row.id, user=ANN)
    await unshare_portfolio(db, "mine", user=ANN)
    assert await list_backtests(db, shared=True, user=ANN) == []
    await share_portfolio(db, "mine", user=ANN)
    assert [each.id for each in await list_backtests(db, shared=True, user=BOB)] == [row.id]
    assert await list_backtests(db, shared=True, status="failed", user=BOB) == []


@pytest.mark.usefixtures("people")
async def test_a_run_is_compared_only_with_what_may_be_seen(db: Database) -> None:
    private, own = await run(db, ANN), await run(db, BOB)
    for pair in ((own.id, private.id), (private.id, own.id)):
        with pytest.raises(NotFoundError, match=f"^there is no backtest '{private.id}'"):
            await attribute(db, *pair, user=BOB)
    await share_backtest(db, private.id, user=ANN)
    compared = await attribute(db, own.id, private.id, user=BOB)
    assert all(not each.change for each in compared.metrics)


@pytest.mark.usefixtures("people")
async def test_who_verifies_anothers_run_hears_nothing_of_a_private_strategy(db: Database) -> None:
    """What became of it since is the owner's: only the owner is told that it was changed."""
    strategy = await create_strategy(
        db, name="secret", kind="momentum", parameters={"look_back": 2, "skip": 0}, user=ANN
    )
    done = await run_backtest(db, portfolio="mine", strategy="secret", user=ANN)
    await share_backtest(db, done.backtest.id, user=ANN)
    await db.execute_raw(
        "UPDATE strategies SET parameters = parameters || '{\"look_back\": 3}' WHERE id = $1::uuid",
        strategy.id,
    )
    told = await verify_backtest(db, done.backtest.id, user=ANN)
    assert any("'secret' has been changed" in note for note in told.notes)
    untold = await verify_backtest(db, done.backtest.id, user=BOB)
    assert untold.identical
    assert not any("secret" in note for note in untold.notes)


@pytest.mark.usefixtures("people")
async def test_owners_are_named_and_never_by_their_address(db: Database) -> None:
    (row,) = await list_portfolios(db, public=True, user=BOB)
    assert await owners_of(db, [row], user=BOB) == {
        row.userId: "Ann Lee",
        (await find_portfolio(db, "mine", user=BOB)).userId: None,
    }
    await share_portfolio(db, "mine", user=BOB)
    rows = await list_portfolios(db, public=True, user=ANN)
    owners = await owners_of(db, rows, user=ANN)
    assert [owners[each.userId] for each in rows if each.id != row.id] == ["somebody"]


@pytest.mark.usefixtures("people")
async def test_a_copy_is_ones_own_private_and_whole(db: Database) -> None:
    original = await create_portfolio(
        db,
        name="thirds",
        allocations={"AAA": Decimal("0.3333"), "BBB": Decimal("0.6666")},
        initial_capital=Decimal("1234.56"),
        description="Two thirds",
        currency="EUR",
        user=ANN,
    )
    await share_portfolio(db, "thirds", user=ANN)
    with pytest.raises(OthersPortfolioError, match=f"portfolio copy {original.id}"):
        await find_portfolio(db, original.id, to="run", user=BOB)
    made = await copy_portfolio(db, original.id, user=BOB)
    assert (made.name, made.description, made.currency) == ("thirds", "Two thirds", "EUR")
    assert made.initialCapital == Decimal("1234.56")
    assert {h.symbol: h.allocation for h in made.holdings or []} == {
        "AAA": Decimal("0.3333"),
        "BBB": Decimal("0.6666"),
    }
    assert not made.isPublic
    with pytest.raises(NameTakenError):
        await copy_portfolio(db, original.id, user=BOB)
    await delete_portfolio(db, "thirds", user=ANN)
    assert (await find_portfolio(db, "thirds", to="run", user=BOB)).id == made.id


@pytest.mark.usefixtures("people")
async def test_a_portfolio_goes_with_its_backtests_and_says_how_many(db: Database) -> None:
    await run(db, BOB)
    for _ in range(2):
        await run(db, ANN)
    assert await delete_portfolio(db, "mine", user=ANN) == 2
    assert await db.backtest.count() == 1
    assert await db.performancemetrics.count() == 1


@pytest.mark.usefixtures("people")
async def test_a_strategy_goes_after_its_backtests(db: Database) -> None:
    await create_strategy(
        db, name="half", kind="momentum", parameters={"look_back": 2, "skip": 0}, user=ANN
    )
    done = await run_backtest(db, portfolio="mine", strategy="half", user=ANN)
    with pytest.raises(StrategyInUseError, match="that of 1 backtest "):
        await delete_strategy(db, "half", user=ANN)
    await delete_backtest(db, done.backtest.id[:8], user=ANN)
    await delete_strategy(db, "half", user=ANN)
    with pytest.raises(NotFoundError):
        await find_strategy(db, "half", user=ANN)


@pytest.mark.usefixtures("people")
async def test_what_is_deleted_twice_at_once_is_gone_once(db: Database) -> None:
    row = await run(db, ANN)
    done = await asyncio.gather(
        *(delete_backtest(db, row.id, user=ANN) for _ in range(4)), return_exceptions=True
    )
    assert {type(each) for each in done} <= {type(None), NotFoundError}
    assert await db.backtest.count() == 0
    with pytest.raises(NotFoundError):
        await share_backtest(db, str(uuid4()), user=ANN)
