import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from postgres_server import PASSWORD, PostgresServer

from llmops.adapters.sql import database as databases
from llmops.adapters.sql.store import database, open_store
from llmops.domain.errors import LlmopsError, MissingExtra, StoreError
from llmops.domain.runs import Node

HERE = Path()
QUOTED = "pa%2Fss%40w%3Ard"


def refused(url: str) -> LlmopsError:
    with pytest.raises(StoreError) as told:
        open_store(url, HERE)
    assert PASSWORD not in str(told.value)
    assert QUOTED not in str(told.value)
    return told.value


def test_an_unreachable_server_is_named_without_its_password(postgres: PostgresServer) -> None:
    error = refused(postgres.url("any").replace(f":{postgres.port}", ":1"))
    assert "cannot be reached" in error.message
    assert "127.0.0.1:1/any" in error.message
    assert "Check that the server runs" in (error.hint or "")


def test_a_wrong_password_and_a_missing_database_have_their_next_step(postgres: PostgresServer) -> None:
    wrong = refused(postgres.url("postgres", password="wr0ng-secret"))
    assert "refuses the login" in wrong.message
    assert "wr0ng-secret" not in str(wrong)
    assert "PGPASSWORD" in (wrong.hint or "")
    missing = refused(postgres.url("nosuch"))
    assert "does not exist" in missing.message
    assert "createdb" in (missing.hint or "")


def test_a_user_who_may_not_make_tables_is_told_what_the_owner_has_to_say(postgres: PostgresServer) -> None:
    url = postgres.database()
    name = url.rpartition("/")[2]
    postgres.sql(name, "CREATE USER guest PASSWORD 'guest'")
    error = refused(url.replace(url[len("postgresql://") : url.index("@127")], "guest:guest"))
    assert "cannot be written" in error.message
    assert "GRANT CREATE" in (error.hint or "")


def test_options_of_the_url_reach_the_driver(postgres: PostgresServer) -> None:
    error = refused(postgres.database("?sslmode=require"))
    assert "SSL" in error.message
    store = open_store(postgres.database("?application_name=told&options=-c%20statement_timeout%3D1234"), HERE)
    try:
        assert postgres.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'told'") == "1"
    finally:
        store.close()
    unknown = refused(postgres.database("?sslmod=require"))
    assert "sslmod" in unknown.message


def test_a_connection_that_is_cut_off_silently_is_given_up_soon_unless_the_url_says_otherwise() -> None:
    usual, own = (database(f"postgresql://me@host/db{options}", HERE).engine for options in ("", "?tcp_user_timeout=5000"))
    assert usual.url.query["tcp_user_timeout"] == "20000"
    assert {"keepalives_idle", "keepalives_interval", "keepalives_count"} < usual.url.query.keys()
    assert own.url.query["tcp_user_timeout"] == "5000"


@pytest.mark.parametrize("url", ["postgresql://me:hidden@host:port/db", "postgresql://me:half@hidden@host/db"])
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(StoreError, match="no valid URL") as told:
        open_store(url, HERE)
    assert "hidden" not in str(told.value)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="`postgres` extra"):
        open_store("postgresql://u@127.0.0.1/x", HERE)


def test_a_server_that_restarts_is_waited_for_and_nothing_that_was_committed_is_lost(postgres: PostgresServer) -> None:
    store = open_store(postgres.database(), HERE)
    errors: list[Exception] = []

    def write() -> None:
        try:
            for number in range(60):
                store.commit([Node(f"k{number:03}", "generate", number, "r")], "r", [])
                sleep(0.02)
        except Exception as error:
            errors.append(error)

    writer = Thread(target=write)
    writer.start()
    sleep(0.3)
    postgres.control("restart", "-m", "immediate")
    writer.join()
    assert errors == []
    assert len(store.nodes([f"k{number:03}" for number in range(60)])) == 60
    store.close()


def test_a_server_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer) -> None:
    store = open_store(postgres.database(), HERE)
    monkeypatch.setattr(databases, "RECONNECT_S", 0.5)
    postgres.control("stop", "-m", "immediate")
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            store.runs()
    finally:
        postgres.control("start")
    assert store.runs() == []
    store.close()


def test_what_the_driver_refuses_is_told_at_once_and_not_as_a_lost_server(postgres: PostgresServer) -> None:
    store = open_store(postgres.database(), HERE)
    begun = monotonic()
    with pytest.raises(StoreError, match="failed: .*NUL") as told:
        store.run("a\0b")
    assert (monotonic() - begun < databases.RECONNECT_S / 2, told.value.hint) == (True, None)
    store.close()


def test_tls_is_checked_against_the_authority_of_the_url(postgres: PostgresServer, tmp_path: Path) -> None:
    if subprocess.run(["which", "openssl"], capture_output=True, check=False).returncode:
        pytest.skip("no `openssl` here to make a certificate with")
    authority = postgres.with_certificate()
    store = open_store(postgres.database(f"?sslmode=verify-full&sslrootcert={authority}"), HERE)
    try:
        assert "t" in postgres.sql("postgres", "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)").split()
    finally:
        store.close()
    stranger = tmp_path / "other.pem"
    postgres.make_certificate(stranger, tmp_path / "other.key")
    assert "cannot be reached" in refused(postgres.database(f"?sslmode=verify-full&sslrootcert={stranger}")).message


def test_a_lost_connection_is_told_by_no_library(postgres: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(postgres.database("?application_name=lost"), HERE)
    lent = store.database.engine.raw_connection()
    cursor = lent.cursor()
    cursor.execute("SELECT 1")
    theirs = "pid <> pg_backend_pid() AND application_name = 'lost'"
    postgres.sql("postgres", f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {theirs}")
    lent.close()
    store.close()
    assert not caplog.records
