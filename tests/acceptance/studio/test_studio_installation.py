"""Studio is installed once, whole or not at all, and failures say what to do."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etf_backtest.database.studio import install
from etf_backtest.database.studio.installation import SHIPPED
from etf_backtest.database.studio.npm_errors import DISK_FULL, UNKNOWN, cause_of
from etf_backtest.errors import StudioInstallError

INSTALL = """
import sys
from pathlib import Path
from etf_backtest.database.studio import install
print(install(Path(sys.argv[1]), on_progress=lambda line: print(line, file=sys.stderr, flush=True)))
"""


def installer(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_a_killed_installation_leaves_nothing_half_and_two_at_once_install_once(
    tmp_path: Path,
) -> None:
    cache = tmp_path / "cache"
    killed = installer(cache)
    assert killed.stderr is not None
    assert killed.stderr.readline().startswith("Installing Prisma Studio")
    partial = cache / f"{_name(cache)}.partial"
    wait_for(partial / "node_modules")
    # the machine went down: npm goes with the parent
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert partial.is_dir()
    assert not (cache / _name(cache)).exists()

    first, second = installer(cache), installer(cache)
    outputs = [process.communicate(timeout=120) for process in (first, second)]
    directories = {stdout.strip() for stdout, _ in outputs}
    assert directories == {str(cache / _name(cache))}
    narration = "".join(stderr for _, stderr in outputs)
    assert narration.count("Installing Prisma Studio") == 1
    # both, where the lock of the killed one's npm is still held while the kernel takes it down
    assert narration.count("Waiting for another process") in (1, 2)
    assert sorted(path.name for path in cache.iterdir()) == [_name(cache), f"{_name(cache)}.lock"]

    # the next time there is nothing to do, and nothing is said
    lines: list[str] = []
    assert install(cache, on_progress=lines.append) == cache / _name(cache)
    assert lines == []


def _name(cache: Path) -> str:
    (lock,) = cache.glob("studio-*.lock")
    return lock.name.removesuffix(".lock")


def test_npm_that_outlives_its_killed_parent_keeps_the_folder_to_itself(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed = installer(cache)
    assert killed.stderr is not None
    killed.stderr.readline()
    wait_for(cache / f"{_name(cache)}.partial" / "node_modules")
    killed.kill()
    killed.wait()
    second = installer(cache)
    assert second.stderr is not None
    assert second.stderr.readline().startswith("Waiting for another process")
    # npm is what the second one waits for
    os.killpg(killed.pid, signal.SIGKILL)
    assert second.stderr.readline().startswith("Installing Prisma Studio")
    os.killpg(second.pid, signal.SIGKILL)
    for process in (killed, second):
        process.communicate()


def test_offline_is_said_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(StudioInstallError, match="the npm registry is out of reach") as caught:
        install(tmp_path / "cache")
    assert caught.value.remedy is not None
    assert "online" in caught.value.remedy
    assert "ECONNREFUSED" in caught.value.output
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_full_disk_is_said_and_nothing_half_is_installed(tmp_path: Path) -> None:
    # a disk of 8 MB in a mount namespace of our own, which needs no rights where users may have one
    namespace = [
        "unshare",
        "--mount",
        *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
    ]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if subprocess.run([*namespace, *mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets us mount no small disk")
    script = f'{shlex.join(mount)}; "$@"; ls {shlex.quote(str(disk))}'
    python = [sys.executable, "-c", INSTALL, str(disk)]
    result = subprocess.run(
        [*namespace, "sh", "-c", script, "-", *python], capture_output=True, text=True, check=True
    )
    assert "StudioInstallError" in result.stderr
    assert "the disk is full" in result.stderr
    assert DISK_FULL.remedy in result.stderr
    assert re.fullmatch(r"studio-\S+\.lock\n", result.stdout)


def test_a_cache_that_cannot_be_made_is_said_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioInstallError, match="cannot be installed in") as caught:
        install(tmp_path / "file" / "cache")
    assert caught.value.remedy is not None
    assert "ETF_BACKTEST_CACHE_DIR" in caught.value.remedy


def test_codes_of_npm_are_translated() -> None:
    assert cause_of("ENOSPC") is DISK_FULL
    assert cause_of("ESOMETHING") is UNKNOWN
    assert cause_of(None) is UNKNOWN


def test_the_lock_file_has_a_hash_for_every_package_and_no_registry() -> None:
    lock = (SHIPPED / "package-lock.json").read_text(encoding="utf-8")
    packages = re.findall(r'^    "node_modules/', lock, re.MULTILINE)
    assert len(packages) == lock.count('"integrity": "sha512-') > 100
    assert '"resolved"' not in lock
