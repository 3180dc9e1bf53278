"""`db grant` on real servers: what each kind of role may do, and what the server refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.doctor.rights import check_rights
from etf_backtest.database.role_rights import FUNCTIONS, TABLES, TYPES
from etf_backtest.database.roles import GrantReport, RoleKind, outdated_roles
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    RightsDeniedError,
    RoleMissingError,
    RoleOwnsError,
    RoleTooPowerfulError,
)
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.cluster import Cluster, run_apart
from tests.integration.security.database_roles import BUY_AND_HOLD, PASSWORD, Roles, roles_of

OWNER, APP, READONLY = RoleKind.OWNER, RoleKind.APP, RoleKind.READONLY
PRICES = """symbol,date,close,adjusted_close,dividend_amount,split_ratio
AAA,2024-01-02,100,100,0,1
AAA,2024-01-03,101,101,0,1
AAA,2024-01-04,102,102,0,1
AAA,2024-01-05,103,103,0,1
AAA,2024-01-08,104,104,0,1
"""


def test_every_table_function_and_type_is_decided_about(roles: Roles) -> None:
    def names(sql: str) -> set[str]:
        return {row["name"] for row in roles.ask(sql)}

    here = "relnamespace = 'public'::regnamespace"
    tables = names(f"SELECT relname AS name FROM pg_class WHERE {here} AND relkind IN ('r', 'p')")
    assert tables | {"_prisma_migrations"} == set(TABLES)
    owned = "NOT EXISTS (SELECT FROM pg_depend WHERE objid = thing.oid AND deptype = 'e')"
    assert (
        names(
            "SELECT proname AS name FROM pg_proc AS thing"
            f" WHERE pronamespace = 'public'::regnamespace AND {owned}"
        )
        == FUNCTIONS
    )
    assert (
        names(
            "SELECT typname AS name FROM pg_type AS thing"
            f" WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' AND {owned}"
        )
        == TYPES
    )


@pytest.mark.each_postgres
def test_an_application_does_all_that_commands_do_and_a_reader_reads_it(
    roles: Roles, user_home: Path
) -> None:
    roles.grant(APP)
    roles.grant(READONLY)
    app, reader = roles.name("app"), roles.name("readonly")
    (user_home / "prices.csv").write_text(PRICES)
    (user_home / "later.csv").write_text(PRICES.replace("101", "101.5"))
    in_full = roles.cluster.version >= 18  # what takes longest is done on one of the two servers
    if in_full:
        run_here("seed", url=roles.url_of(app))
    else:
        roles.ask(BUY_AND_HOLD, role=app)
    for command in (
        "prices import prices.csv --closes split-adjusted",
        "prices import later.csv --closes split-adjusted",
        "portfolio create p AAA=1",
        "backtest run -p p -s buy-and-hold",
    ):
        run_here(*command.split(), url=roles.url_of(app))
    submit = ("backtest", "submit", "-p", "p", "-s", "buy-and-hold")
    submitted = run_here(*submit, url=roles.url_of(app)).out.strip()
    if in_full:
        run_here("backtest", "cancel", submitted, url=roles.url_of(app))
        run_here("backtest", "retry", submitted, url=roles.url_of(app))
        run_here("worker", "--once", url=roles.url_of(app))

    url = roles.url_of(reader)
    listed = run_here("backtest", "list", "--json", url=url).data
    by_worker = "completed" if in_full else "pending"
    assert [row["status"] for row in listed] == [by_worker, "completed"]
    stored = listed[1]["id"]
    for command in (
        f"backtest show {stored}",
        f"backtest verify {stored}",
        "portfolio show p",
        "prices list",
        "prices history AAA",
        "prices export prices-again.csv",
        "etf list",
    ):
        run_here(*command.split(), url=url)
    failed = run_here("portfolio", "create", "q", "AAA=1", url=url, code=1)
    assert "cannot execute INSERT in a read-only transaction" in failed.err
    assert "db grant" in failed.err
    assert "is read-only" in run_here("prices", "import", "prices.csv", url=url, code=1).err
    assert roles.ask("SELECT email FROM users", role=reader)[0]["email"].startswith("local@")
    for sql in ("DELETE FROM market_data", "DELETE FROM users"):
        roles.ask(sql, role=app)


@pytest.mark.each_postgres
def test_what_is_refused(roles: Roles) -> None:
    roles.grant(APP)
    roles.grant(READONLY)
    app, reader = roles.name("app"), roles.name("readonly")
    for refused in (
        "DROP TABLE backtests",
        "ALTER TABLE market_data DISABLE TRIGGER ALL",
        "ALTER TABLE users ADD COLUMN more text",
        "TRUNCATE packed_prices",
        "CREATE TABLE of_mine (n int)",
        "CREATE SCHEMA of_mine",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DELETE FROM market_data_history",
        "UPDATE market_data_history SET valid_to = 0",
        "DELETE FROM price_revisions",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY users TO PROGRAM 'cat'",
        "CREATE ROLE another",
    ):
        assert roles.denied(refused, role=app), refused
    for refused in (
        "SELECT * FROM users",
        "SELECT password_hash FROM users",
        "SELECT u FROM users AS u",
        "SELECT * FROM user_tokens",
        "SELECT * FROM sign_in_throttles",
    ):
        assert roles.denied(refused, role=reader), refused
    assert roles.ask("SHOW default_transaction_read_only", role=reader)[0][0] == "on"
    # the setting is a courtesy that whoever wants to can turn off; what holds are the rights
    held = roles.ask(
        "SELECT name, privilege FROM unnest($1::text[]) AS name, unnest($2::text[]) AS privilege"
        " WHERE has_table_privilege($3, name, privilege) OR privilege IN ('INSERT', 'UPDATE')"
        " AND has_any_column_privilege($3, name, privilege)",
        [table for table in TABLES if table != "_prisma_migrations"],
        ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"],
        reader,
    )
    assert held == []


@pytest.mark.parametrize("postgres", ["debian"], indirect=True)  # where it is told apart best
def test_an_owner_migrates_and_hands_out_rights_though_no_superuser(
    postgres: Cluster, empty_database: str
) -> None:
    with roles_of(postgres, empty_database) as roles:
        roles.grant(OWNER)
        owner = roles.name("owner")
        url = roles.url_of(owner)
        run_here("migrate", "deploy", url=url)
        assert {
            row[0]
            for row in roles.ask("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'")
        } == {owner}
        # what it may not do whole it does not begin
        refused = run_here("migrate", "reset", "--yes", url=url, code=1)
        assert "ALTER SCHEMA" in refused.err
        roles.grant(APP)
        assert roles.grant(APP).statements == ()
        assert roles.ask("SELECT FROM _prisma_migrations", role=roles.name("app"))
        # the owner may give rights to its own tables; those to the database are everybody's
        roles.made.append(roles.name("another"))
        roles.cluster.execute(f'CREATE ROLE "{roles.made[-1]}" LOGIN')
        run_here("db", "grant", "app", roles.made[-1], url=url)
        roles.cluster.execute(
            f'REVOKE CONNECT ON DATABASE "{roles.url.database}" FROM PUBLIC',
            f'REVOKE CONNECT ON DATABASE "{roles.url.database}" FROM "{roles.made[-1]}"',
        )
        ran = run_here("db", "grant", "app", roles.made[-1], url=url, code=1)
        assert "was not granted" in ran.err


def test_tables_of_a_superuser_are_handed_over(roles: Roles) -> None:
    report = roles.grant(OWNER)
    owner = roles.name("owner")
    assert roles.grant(OWNER).statements == ()
    assert any("OWNER TO" in statement for statement in report.statements)
    for sql in (
        "ALTER TABLE users ADD COLUMN more text",
        "ALTER TYPE strategy_type ADD VALUE 'more'",
        "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS TRIGGER LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
        "CREATE SCHEMA queue",
    ):
        assert not roles.denied(sql, role=owner), sql
    # extensions and the database stay whose they were
    assert roles.denied(f'ALTER DATABASE "{roles.url.database}" RENAME TO other', role=owner)
    with pytest.raises(RoleOwnsError, match="table"):
        roles.grant(APP, owner)


def test_a_second_time_does_nothing_and_another_kind_takes_back(roles: Roles) -> None:
    role = roles.name("changing")
    assert roles.grant(APP, role).is_new
    assert roles.grant(APP, role).statements == ()
    down = roles.grant(READONLY, role)
    assert 'REVOKE DELETE, INSERT, UPDATE ON TABLE "public"."portfolios" FROM' in "\n".join(
        down.statements
    )
    assert roles.grant(READONLY, role).statements == ()
    assert roles.denied("SELECT password_hash FROM users", role=role)
    assert roles.denied("SELECT nextval('price_revisions_number_seq')", role=role)
    up = roles.grant(APP, role)
    assert up.statements
    assert not roles.denied("SELECT password_hash FROM users", role=role)
    assert roles.ask("SHOW default_transaction_read_only", role=role)[0][0] == "off"
    assert roles.grant(APP, role).statements == ()


def test_tried_dry_it_says_all_and_does_nothing(roles: Roles) -> None:
    tried = roles.grant(READONLY, dry_run=True)
    assert tried.is_new
    assert told_of_everybody(tried) == []
    assert tried.statements[0] == f'CREATE ROLE "{roles.name("readonly")}" LOGIN'
    assert "PASSWORD '(a SCRAM-SHA-256 verifier)'" in tried.statements[-1]
    with pytest.raises(RoleMissingError, match="--create"):
        run_here_raising(roles, roles.name("readonly"))
    assert roles.grant(READONLY).statements == tried.statements


def told_of_everybody(report: GrantReport) -> list[str]:
    return [warning for warning in report.warnings if "PUBLIC" in warning]


def run_here_raising(roles: Roles, role: str) -> None:
    from etf_backtest.database.roles import grant_role

    run_apart(grant_role(roles.url, role, READONLY))


async def rights_of(url: DatabaseUrl) -> list[Finding]:
    """As `db doctor` asks."""
    async with direct_connection(url) as connection:
        return await check_rights(connection, url)


def test_rights_of_before_a_migration_are_told(roles: Roles) -> None:
    roles.grant(APP)
    roles.grant(READONLY)
    assert run_apart(outdated_roles(roles.url)) == ()
    roles.cluster.execute(
        "ALTER TABLE users ADD COLUMN nickname text",
        "ALTER TABLE packed_prices RENAME TO old_prices",
        "CREATE TABLE packed_prices (LIKE old_prices)",
        f'GRANT TRUNCATE ON users TO "{roles.name("app")}"',
        database=roles.url.database,
    )
    remedies = [finding.remedy for finding in run_apart(rights_of(roles.url))]
    assert f"etf-backtest db grant app '{roles.name('app')}'" in remedies
    told = {found.kind: found.statements for found in run_apart(outdated_roles(roles.url))}
    app, reader = (roles.name(kind) for kind in ("app", "readonly"))
    assert told == {
        APP: (
            f'GRANT INSERT, SELECT, UPDATE ON TABLE "public"."packed_prices" TO "{app}"',
            f'REVOKE TRUNCATE ON TABLE "public"."users" FROM "{app}"',
        ),
        READONLY: (
            f'GRANT SELECT ON TABLE "public"."packed_prices" TO "{reader}"',
            f'GRANT SELECT ("nickname") ON TABLE "public"."users" TO "{reader}"',
        ),
    }


def test_who_may_not_be_restricted_or_may_not_grant(roles: Roles) -> None:
    roles.made.append("postgres")  # it is there
    try:
        with pytest.raises(RoleTooPowerfulError, match="superuser"):
            roles.grant(APP, "postgres")
    finally:
        roles.made.remove("postgres")
    roles.grant(APP)
    from etf_backtest.database.roles import grant_role

    app = DatabaseUrl.parse(roles.url_of(roles.name("app")))
    with pytest.raises(RightsDeniedError) as denied:
        run_apart(grant_role(app, "stranger", READONLY, create=True, password="x"))
    assert "superuser" in str(denied.value)


def test_what_everybody_may_create_is_taken_back_and_what_everybody_holds_is_told(
    roles: Roles,
) -> None:
    roles.cluster.execute(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT SELECT ON users TO PUBLIC",
        database=roles.url.database,
    )
    report = roles.grant(READONLY)
    assert 'REVOKE CREATE ON SCHEMA "public" FROM PUBLIC' in report.statements
    assert told_of_everybody(report) == [
        f"everybody (PUBLIC) has rights to users, and so has {roles.name('readonly')}"
    ]
    # what everybody may do by our own script is not told; more than that is
    roles.cluster.execute(
        "REVOKE ALL ON users FROM PUBLIC",
        "GRANT DELETE ON etf_backtest_queue.installed_migrations TO PUBLIC",
        database=roles.url.database,
    )
    (told,) = told_of_everybody(roles.grant(READONLY))
    assert "rights to installed_migrations, and so has" in told


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "'; DROP TABLE users; --", "%I $1 \\ é", "user"]
)
def test_names_are_quoted(roles: Roles, name: str) -> None:
    roles.grant(APP, name)
    assert roles.ask("SELECT current_user AS me", role=name)[0]["me"] == name
    assert roles.grant(READONLY, name).statements
    assert roles.grant(READONLY, name).statements == ()


def test_in_another_schema(postgres: Cluster, empty_database: str) -> None:
    postgres.execute(
        'CREATE SCHEMA "Odd ""one"',
        'CREATE TABLE "Odd ""one".users (email text, "Name" text, password_hash text)',
        "CREATE TABLE public.users (email text)",
        database=empty_database.rpartition("/")[2],
    )
    with roles_of(postgres, f"{empty_database}?schema=Odd%20%22one") as roles:
        report = roles.grant(READONLY)
        reader = roles.name("readonly")
        assert f'GRANT SELECT ("email", "Name") ON TABLE "Odd ""one"."users" TO "{reader}"' in (
            report.statements
        )
        assert any("run this again after migrate deploy" in text for text in report.warnings)
        assert not roles.denied('SELECT email FROM "Odd ""one".users', role=reader)
        assert roles.denied("SELECT email FROM public.users", role=reader)


def test_on_the_command_line(roles: Roles, user_home: Path) -> None:
    url = roles.url.render()
    role = roles.name("told")
    (user_home / "password").write_text(PASSWORD + "\n")
    grant = ("db", "grant", "readonly", role)
    assert "there is no such role" in run_here(*grant, url=url, code=1).err
    assert "needs a password" in run_here(*grant, "--create", url=url, code=2).err
    given = ("--create", "--password-file", "password")
    tried = run_here(*grant, *given, "--dry-run", url=url)
    assert "nothing was changed" in tried.err
    # a password that is not used is not asked for
    assert run_here(*grant, "--create", "--dry-run", url=url).out == tried.out
    done = run_here(*grant, *given, "--json", url=url)
    roles.made.append(role)
    assert done.data["created"] is True
    assert done.data["password_set"] is True
    assert [f"{statement};" for statement in done.data["statements"]] == tried.out.splitlines()
    assert PASSWORD not in json.dumps(done.data) + tried.out
    assert roles.ask("SELECT 1 AS one", role=role)[0]["one"] == 1
    assert "already" in run_here(*grant, url=url).err
    # nobody has used the database: there is no local user, and this role may not make it
    assert "db grant" in run_here("portfolio", "list", url=roles.url_of(role), code=1).err
    changed = run_here(*grant, "--password-stdin", url=url, stdin="another\n")
    assert changed.out == ""
    assert f"\n{role} has the rights of readonly now (1 statement)\n" in changed.err
    assert (
        "password authentication failed"
        in run_here("prices", "list", url=roles.url_of(role), code=1).err
    )
    run_here("prices", "list", url=roles.url_of(role, "another"))
