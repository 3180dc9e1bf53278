"""What stands between Studio, whose /bff runs any SQL, and everybody else on the machine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from etf_backtest.database.studio import StudioServer, studio
from tests.fixtures.cluster import Cluster

SELECT_1 = json.dumps(
    {"procedure": "query", "query": {"sql": "select 1 as one", "parameters": []}}
).encode()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def ask(
    server: StudioServer,
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.fixture
def origin(maintenance_studio: StudioServer) -> str:
    return f"http://127.0.0.1:{maintenance_studio.port}"


@pytest.fixture
def cookie(maintenance_studio: StudioServer, origin: str) -> str:
    answer = ask(maintenance_studio, maintenance_studio.url.removeprefix(origin))
    assert answer.status == 200
    return answer.headers["Set-Cookie"].partition(";")[0]


def test_whoever_has_the_token_may_run_sql(
    maintenance_studio: StudioServer, origin: str, cookie: str
) -> None:
    answer = ask(
        maintenance_studio,
        "/bff",
        method="POST",
        headers={"Cookie": cookie, "Origin": origin, "Content-Type": "application/json"},
        body=SELECT_1,
    )
    assert (answer.status, json.loads(answer.body)) == (200, [None, [{"one": 1}]])


@pytest.mark.parametrize("path", ["/", "/studio.js", "/?token=", "/?token=wrong", "/nothing"])
def test_nothing_is_served_without_the_token(maintenance_studio: StudioServer, path: str) -> None:
    assert ask(maintenance_studio, path).status == 401


@pytest.mark.parametrize("value", ["", "wrong", "é"])
def test_a_wrong_cookie_is_refused(maintenance_studio: StudioServer, value: str) -> None:
    headers = {"Cookie": f"etf_backtest_studio_{maintenance_studio.port}={value}"}
    assert ask(maintenance_studio, headers=headers).status == 401


def test_sql_needs_the_token(maintenance_studio: StudioServer, origin: str) -> None:
    answer = ask(
        maintenance_studio, "/bff", method="POST", headers={"Origin": origin}, body=SELECT_1
    )
    assert answer.status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_dns_rebinding_is_refused(maintenance_studio: StudioServer, cookie: str, host: str) -> None:
    headers = {"Host": host.format(port=maintenance_studio.port), "Cookie": cookie}
    assert ask(maintenance_studio, headers=headers).status in (400, 403)


def test_the_name_localhost_is_served(maintenance_studio: StudioServer, cookie: str) -> None:
    headers = {"Host": f"localhost:{maintenance_studio.port}", "Cookie": cookie}
    assert ask(maintenance_studio, headers=headers).status == 200


@pytest.mark.parametrize(
    "foreign", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost:{port}", ""]
)
def test_other_pages_may_not_post(
    maintenance_studio: StudioServer, cookie: str, foreign: str
) -> None:
    headers = {"Cookie": cookie}
    if foreign:
        headers["Origin"] = foreign.format(port=maintenance_studio.port)
    answer = ask(maintenance_studio, "/bff", method="POST", headers=headers, body=SELECT_1)
    assert answer.status == 403


def test_other_pages_may_not_read(maintenance_studio: StudioServer, cookie: str) -> None:
    headers = {"Cookie": cookie, "Origin": "https://evil.example"}
    assert ask(maintenance_studio, "/studio.js", headers=headers).status == 403


@pytest.mark.parametrize("path", ["http://evil.example/", "//evil.example/"])
def test_only_paths_are_served(maintenance_studio: StudioServer, cookie: str, path: str) -> None:
    headers = {"Cookie": cookie, "Host": f"127.0.0.1:{maintenance_studio.port}"}
    assert ask(maintenance_studio, path, headers=headers).status == 403


def test_the_page_may_ask_nobody_else_and_be_framed_by_nobody(
    maintenance_studio: StudioServer, cookie: str
) -> None:
    for headers in ({}, {"Cookie": cookie}):
        answer = ask(maintenance_studio, headers=headers)
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    maintenance_studio: StudioServer, origin: str
) -> None:
    answer = ask(maintenance_studio, maintenance_studio.url.removeprefix(origin))
    attributes = answer.headers["Set-Cookie"].split("; ")[1:]
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)


def test_studio_reports_to_nobody(
    maintenance_studio: StudioServer, origin: str, cookie: str
) -> None:
    headers = {"Cookie": cookie, "Origin": origin}
    answer = ask(maintenance_studio, "/telemetry", method="POST", headers=headers, body=b"{}")
    assert answer.status == 204


def test_one_port_on_loopback_is_all_that_listens(maintenance_studio: StudioServer) -> None:
    process = psutil.Process(maintenance_studio.pid)
    assert process.children() == []
    listening = [
        connection.laddr
        for connection in process.net_connections("all")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", maintenance_studio.port)]


@pytest.fixture
def fresh_studio(postgres: Cluster, studio_cache: Path) -> Iterator[StudioServer]:
    with studio(postgres.url(), cache_dir=studio_cache) as server:
        yield server


def test_the_single_use_address_is_used_once(fresh_studio: StudioServer) -> None:
    path = fresh_studio.single_use_url.removeprefix(f"http://127.0.0.1:{fresh_studio.port}")
    first, second = ask(fresh_studio, path), ask(fresh_studio, path)
    assert (first.status, second.status) == (200, 401)
    assert path.removeprefix("/?token=") not in first.headers["Set-Cookie"]
