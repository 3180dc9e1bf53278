"""What cannot be backed up or restored is said in one line, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from etf_backtest.database.backup import back_up, restore
from etf_backtest.database.backup.manifest import Manifest, sha256_of
from etf_backtest.database.backup.programs import Program, choose_dump
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    BackupError,
    BackupFileError,
    DamagedBackupError,
    DatabaseUrlError,
    ManifestMissingError,
    PostgresProgramError,
)
from tests.fixtures.cluster import Cluster, embedded_binaries
from tests.fixtures.postgres import EMBEDDED
from tests.integration.backup.conftest import NewDatabase, on, rows

Spoil = Callable[[Path], None]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def put_new(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def put(position: int, value: int) -> Spoil:
    def write(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(position)
            file.write(bytes([value]))

    return write


SPOILT: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda path: put_new(path, b""), r"is no archive of pg_dump \(it is empty\)"),
    "text": (lambda path: put_new(path, b"CREATE TABLE t ();"), "is no archive of pg_dump"),
    "missing": (lambda path: path.unlink(), "cannot be read: No such file or directory"),
    "beginning": (lambda path: os.truncate(path, 40), "cut off or damaged"),
    "half": (cut, "cut off or damaged|ends in the middle"),
    # after "PGDMP" come the major and the minor number of the archive's form
    "newer": (put(6, 99), r"newer pg_dump than pg_restore [\d.]+, .* \(unsupported version"),
}


async def test_a_file_that_is_no_backup(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    await back_up(filled, archive)
    url = new_database(EMBEDDED)
    for name, (spoil, reason) in SPOILT.items():
        copy = archive.with_name(name)
        for file in (copy, Manifest.path_of(copy)):
            shutil.copyfile(Manifest.path_of(archive) if file.suffix else archive, file)
        spoil(copy)
        if name != "missing":
            with pytest.raises(DamagedBackupError, match="it is damaged, or not the file of its"):
                await restore(url, copy, confirmed=True)
        Manifest.path_of(copy).unlink()
        with pytest.raises(BackupFileError, match=reason):
            await restore(url, copy, confirmed=True)
    assert await rows(url) == {}


async def test_without_a_manifest_only_when_told_so(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    await back_up(filled, archive)
    Manifest.path_of(archive).unlink()
    url, said = new_database(EMBEDDED), list[str]()
    with pytest.raises(ManifestMissingError, match=r"a backup.dump.json is not beside it"):
        await restore(url, archive)
    assert await rows(url) == {}
    done = await restore(url, archive, confirmed=True, narrate=said.append)
    assert not done.verified
    assert "restored unverified" in said[0]
    assert await rows(url) == await rows(filled)


async def test_a_backup_of_a_newer_version_of_this_package(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    await on(
        filled,
        lambda c: c.execute(
            "CREATE TABLE _prisma_migrations (migration_name text, checksum text,"
            " finished_at timestamptz, rolled_back_at timestamptz);"
            "INSERT INTO _prisma_migrations VALUES ('20991231000000_wonders', 'x', now())"
        ),
    )
    written = await back_up(filled, archive)
    assert [m.name for m in written.manifest.migrations] == ["20991231000000_wonders"]
    url = new_database(EMBEDDED)
    newer = "of a newer etf_backtest than this one.* 20991231000000_wonders"
    with pytest.raises(BackupFileError, match=newer):
        await restore(url, archive)
    written.manifest_path.unlink()
    with pytest.raises(BackupFileError, match=newer):
        await restore(url, archive, confirmed=True)
    assert await rows(url) == {}


async def test_a_dump_of_something_else(new_database: NewDatabase, archive: Path) -> None:
    url = new_database(EMBEDDED)
    with pytest.raises(BackupError, match="has no tables of ours in the schema 'public'"):
        await back_up(url, archive)
    assert names_in(archive.parent) == set()
    await on(url, lambda c: c.execute("CREATE TABLE backtests (id int)"))
    await back_up(url, archive)  # what it has is not asked here
    with pytest.raises(
        BackupFileError, match=f"the database '{url.database}' had no tables of ours"
    ):
        await restore(new_database(EMBEDDED), archive)


async def test_a_manifest_that_is_none(filled: DatabaseUrl, archive: Path) -> None:
    written = await back_up(filled, archive)
    for text, reason in (("{", "Invalid JSON"), ("{}", "Field required"), ("[1]", "object")):
        written.manifest_path.write_text(text)
        with pytest.raises(BackupFileError, match=rf"is no manifest of a backup \(.*{reason}"):
            await restore(filled, archive, confirmed=True)


async def test_a_schema_of_another_name(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    await back_up(filled, archive)
    url = replace(new_database(EMBEDDED), parameters=(("schema", "mine"),))
    with pytest.raises(BackupFileError, match="in the schema 'public', the URL says 'mine'"):
        await restore(url, archive)


async def test_what_is_there_is_not_overwritten(filled: DatabaseUrl, archive: Path) -> None:
    put_new(archive, b"mine")
    mine = sha256_of(archive)
    with pytest.raises(BackupFileError, match="is there already"):
        await back_up(filled, archive)
    assert sha256_of(archive) == mine
    await back_up(filled, archive, overwrite=True)
    manifest = Manifest.read(archive)
    assert manifest is not None
    assert (manifest.file.sha256, manifest.file.bytes) == sha256_of(archive) != mine
    with pytest.raises(BackupFileError, match="is there already"):
        await back_up(filled, archive)
    assert manifest.file.sha256 == sha256_of(archive)[0]
    link(archive, Path("/dev/null"))
    with pytest.raises(BackupFileError, match="no regular file"):
        await back_up(filled, archive, overwrite=True)
    with pytest.raises(BackupFileError, match="cannot be written: No such file or directory"):
        await back_up(filled, archive.parent / "missing" / "x")


async def test_a_pooler_is_refused(filled: DatabaseUrl, archive: Path) -> None:
    pooled = replace(filled, parameters=(("pgbouncer", "true"),))
    with pytest.raises(DatabaseUrlError, match="pg_dump goes to the server itself"):
        await back_up(pooled, archive)
    with pytest.raises(DatabaseUrlError, match="a restore goes to the server itself"):
        await restore(pooled, archive)


async def test_a_role_that_may_not_read_everything(
    filled: DatabaseUrl, archive: Path, postgres: Cluster
) -> None:
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        url = DatabaseUrl.parse(f"postgresql://reader:reader@{filled.server}/{filled.database}")
        with pytest.raises(BackupError, match="permission denied") as refused:
            await back_up(url, archive)
        assert "pg_read_all_data" in str(refused.value.remedy)
        assert names_in(archive.parent) == set()
        # a member may: queues' tables are nobody else's
        postgres.execute("GRANT pg_read_all_data TO reader")
        assert (await back_up(url, archive)).manifest.rows > 0
    finally:
        postgres.execute("DROP ROLE reader")


def script(path: Path, text: str) -> Program:
    real = embedded_binaries() / "pg_dump"
    path.write_text(f'#!/bin/sh\n{text}\nexec {real} "$@"\n')
    path.chmod(0o755)
    return Program(path, (18, 0))


def archive_folder(folder: Path) -> Path:
    (folder / "backups").mkdir()
    return folder / "backups"


async def test_a_full_disk_leaves_nothing(filled: DatabaseUrl, tmp_path: Path) -> None:
    """A limit on the size of files is what an ordinary user can fill; it fails alike."""
    program = script(tmp_path / "pg_dump", "trap '' XFSZ\nulimit -f 8")
    folder = archive_folder(tmp_path)
    with pytest.raises(BackupError, match=r"could not (write|close).*File too large") as refused:
        await back_up(filled, folder / "a", program=program)
    assert refused.value.remedy == "make room or give another place; nothing of it is left"
    assert names_in(folder) == set()


async def test_no_secret_is_in_arguments_or_environment(
    filled: DatabaseUrl, tmp_path: Path, archive: Path, postgres: Cluster
) -> None:
    look = f"""
    tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/said; env >> {tmp_path}/said
    stat -c %a "$PGPASSFILE" "$(dirname "$PGPASSFILE")" > {tmp_path}/modes
    cp "$PGPASSFILE" {tmp_path}/passwords; echo "$PGPASSFILE" > {tmp_path}/name
    """
    await back_up(filled, archive, program=script(tmp_path / "pg_dump", look))
    assert postgres.password not in (tmp_path / "said").read_text()
    assert (tmp_path / "modes").read_text().split() == ["600", "700"]
    assert (tmp_path / "passwords").read_text() == f"*:*:*:*:{postgres.password}\n"
    # and it is gone with the program
    folder = Path((tmp_path / "name").read_text().strip()).parent
    assert folder.name not in names_in(folder.parent)


async def test_a_backup_that_is_broken_off_leaves_nothing(
    filled: DatabaseUrl, tmp_path: Path
) -> None:
    """As Ctrl-C does; the program is one that would go on for long."""
    program = script(tmp_path / "pg_dump", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    folder = archive_folder(tmp_path)
    dumping = asyncio.create_task(back_up(filled, folder / "a", program=program))
    while "pid" not in names_in(tmp_path):  # noqa: ASYNC110  # another process tells
        await asyncio.sleep(0.01)
    dumping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dumping
    assert names_in(folder) == set()
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_pg_dump_that_is_too_old() -> None:
    old, same, new = (Program(Path(f"/{v}"), (v, 1)) for v in (15, 16, 18))
    newest_of_15 = Program(Path("/15.9"), (15, 9))
    bare = Program(Path("/wheel"), (18, 4), speaks_tls=False)
    assert choose_dump(15, programs=[new, old, newest_of_15]) == newest_of_15
    assert choose_dump(16, programs=[old, new, same]) == same
    assert choose_dump(17, programs=[old, new, same]) == new
    with pytest.raises(PostgresProgramError) as refused:
        choose_dump(18, programs=[old, same])
    assert refused.value.message == "pg_dump 18 or newer is needed, the newest here is 16.1"
    with pytest.raises(PostgresProgramError, match="and there is none here"):
        choose_dump(18, programs=[])
    # the wheel's cannot encrypt: never where it has to, and only for want of a better one
    assert choose_dump(17, tls="never", programs=[bare]) == bare
    assert choose_dump(17, tls="wanted", programs=[bare]) == bare
    assert choose_dump(17, tls="wanted", programs=[bare, Program(Path("/19"), (19, 0))]).major == 19
    with pytest.raises(PostgresProgramError, match=r"the newest here is 18\.4 without TLS"):
        choose_dump(17, tls="needed", programs=[bare, old])


async def test_a_server_that_is_not_there(archive: Path) -> None:
    url = DatabaseUrl.parse("postgresql://ada:secret@127.0.0.1:1/none")
    with pytest.raises(OSError, match="Connect call failed") as refused:
        await back_up(url, archive)
    assert "secret" not in str(refused.value)
    assert names_in(archive.parent) == set()
