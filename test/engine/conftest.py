# SPDX-License-Identifier: Apache-2.0
"""Fixtures: servers of the session, a pair of fresh databases for each test, engines that end with the test."""

import contextlib
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from comparison import assert_equal, leftovers  # noqa: E402
from engine_process import Engine  # noqa: E402
from servers import Database, Server, debian_bin, embedded_bin, eventually  # noqa: E402

_numbers = itertools.count(1)


class Pair:
    """A source and a sink database, a task name, and the engines that a test starts between them."""

    def __init__(self, source, sink, name=None):
        self.source, self.sink = source, sink
        self.name = name or f"task-{next(_numbers)}"
        self.slot = self.name.replace("-", "_")
        self.publication = self.slot + "_publication_for_all_tables"
        self.source_text, self.sink_text = source.conninfo(), sink.conninfo()
        self._markers = itertools.count(1)
        self._engines = []

    def arguments(self, verb, *more):
        return [verb, "--name", self.name, "--source", self.source_text, "--sink", self.sink_text, *more]

    def start(self, verb, *more, **options):
        """The engine in the background; ended with the test."""
        engine = Engine(*self.arguments(verb, *more), **options)
        self._engines.append(engine)
        return engine

    def call(self, verb, *more, timeout=None, **options):
        """The engine to its end: a Result, whatever the exit code."""
        return self.start(verb, *more, **options).wait(timeout)

    def run(self, verb, *more, **options):
        """The engine to its end, which must be exit code 0."""
        result = self.call(verb, *more, **options)
        assert result.code == 0, str(result)
        return result

    def migrate(self, *more, **options):
        return self.run("run", "--until", "caught-up", *more, **options)

    def marker_table(self):
        """The table that settle() writes; to be made before the engine starts."""
        self.source.execute("CREATE TABLE IF NOT EXISTS public.settle_marker (id int PRIMARY KEY)")

    @contextlib.contextmanager
    def following(self, *more, **options):
        """Inside: everything is copied and an engine applies changes. At the end it is stopped and must say 0."""
        self.marker_table()
        engine = self.start("run", *more, listen=True, **options)
        self.wait_for_stream(engine)
        yield engine
        if engine.running():
            result = engine.terminate()
            assert result.code == 0, str(result)

    def wait_for_stream(self, engine):
        """Waits until everything is copied and changes are being applied."""
        engine.until(lambda d: d["step"] == "cdc" and d["stream"]["lsnApplied"], "the stream", 90)
        self.settle(engine)

    def settle(self, engine, timeout=60):
        """Waits until the sink shows what the source committed last (the copy may have brought it, too)."""
        number = next(self._markers)
        self.source.execute(f"INSERT INTO public.settle_marker VALUES ({number})")

        def visible():
            if self.sink.value("SELECT to_regclass('public.settle_marker')") is not None:
                if self.sink.value(f"SELECT 1 FROM public.settle_marker WHERE id = {number}"):
                    return True
            assert engine.running(), f"the engine ended: exit code {engine.process.returncode}\n{engine.output()}"
            return False

        try:
            eventually(visible, timeout, f"marker {number} in the sink")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{engine.output()}") from error

    def assert_equal(self, only=None):
        assert_equal(self.source, self.sink, only)

    def leftovers(self):
        return leftovers(self.source)

    def close(self):
        for engine in self._engines:
            engine.destroy()
        for database in (self.source, self.sink):
            if database.server.process is not None:
                database.drop()


@pytest.fixture(scope="session")
def source_server():
    with Server(embedded_bin(14)) as server:
        yield server


@pytest.fixture(scope="session")
def sink_server():
    with Server(embedded_bin(14)) as server:
        yield server


@pytest.fixture(scope="session")
def debian_server():
    """A server of Debian's own package."""
    with Server(debian_bin()) as server:
        yield server


@pytest.fixture
def make_pair(source_server, sink_server):
    """A function that makes pairs: make_pair(source=Server, sink=Server, source_options=…, sink_options=…)."""
    pairs = []

    def make(source=None, sink=None, source_options=None, sink_options=None):
        number = next(_numbers)
        pair = Pair((source or source_server).database(f"source_{number}", **(source_options or {})),
                    (sink or sink_server).database(f"sink_{number}", **(sink_options or {})))
        pairs.append(pair)
        return pair

    yield make
    for pair in pairs:
        pair.close()


@pytest.fixture
def pair(make_pair):
    return make_pair()


@pytest.fixture
def make_server():
    """Servers of one test, which may restart, reconfigure or break them: make_server(bin_directory, settings=…)."""
    servers = []

    def make(bin_directory=None, **options):
        server = Server(bin_directory or embedded_bin(14), **options)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.remove()


__all__ = ["Database", "Pair"]
