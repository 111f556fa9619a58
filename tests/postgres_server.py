"""A real PostgreSQL server on a free port of 127.0.0.1, from the binaries that the machine has."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

USER = "llmops"
PASSWORD = "pa/ss@w:rd 1%"
RUNS_AS = "nobody"
"""PostgreSQL refuses to be run by root."""


class PostgresServer:
    """Started, stopped and restarted with pg_ctl; each database that is asked for is a new one."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._data = folder / "data"
        self._numbers = count()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def start(self) -> None:
        secret = self._data.parent / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if os.geteuid() == 0:
            shutil.chown(self._data.parent, RUNS_AS)
            shutil.chown(secret, RUNS_AS)
        self._do(
            "initdb", "-D", str(self._data), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8", "-N"
        )
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n")
        self.control("start")

    def control(self, *command: str) -> None:
        """`pg_ctl COMMAND`; returns when it is done."""
        self._do("pg_ctl", "-D", str(self._data), "-l", str(self._data.parent / "log"), "-w", "-t", "60", *command)

    def database(self, options: str = "") -> str:
        """URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name, options)

    def url(self, database: str, options: str = "", password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}{options}"

    def sql(self, database: str, statement: str) -> str:
        """What psql prints for a statement."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database)
        return self._do("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *where, "-c", statement).strip()

    def with_certificate(self) -> Path:
        """Make the server speak TLS; the certificate that clients should trust."""
        certificate, key = self._data / "server.crt", self._data / "server.key"
        self.make_certificate(certificate, key)
        if os.geteuid() == 0:
            shutil.chown(key, RUNS_AS)
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("ssl = on\n")
        self.control("restart")
        return certificate

    def make_certificate(self, certificate: Path, key: Path) -> None:
        subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
        files = ("-keyout", str(key), "-out", str(certificate))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files], capture_output=True, check=True
        )
        key.chmod(0o600)

    def _do(self, program: str, *arguments: str) -> str:
        other = pwd.getpwnam(RUNS_AS) if os.geteuid() == 0 else None
        with tempfile.TemporaryFile("w+") as out:  # a pipe would stay open as long as the server does
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._data.parent,
                env={**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"},
                check=False,
                user=other and other.pw_uid,
                group=other and other.pw_gid,
            )
            out.seek(0)
            told = out.read()
        assert done.returncode == 0, f"{program}: {told}"
        return told


def binaries() -> Path:
    """Folder with initdb and pg_ctl; the test is skipped, with the reason, where there is none."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: the `postgres` extra")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True)
    program = shutil.which("initdb") or next(map(str, found), None)
    if program is None:
        pytest.skip("no PostgreSQL server here: neither `initdb` on the PATH nor /usr/lib/postgresql/*/bin")
    return Path(program).resolve().parent


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    programs = binaries()
    with tempfile.TemporaryDirectory(prefix="llmops-pg-") as folder:
        server = PostgresServer(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.control("stop", "-m", "immediate")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()
