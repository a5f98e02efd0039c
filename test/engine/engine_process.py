# SPDX-License-Identifier: Apache-2.0
"""Runs kubeferry-engine, to its end or in the background, and looks at it from outside."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from servers import eventually, free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ENGINE = os.environ.get("KUBEFERRY_ENGINE", os.path.join(ROOT, "build", "bin", "kubeferry-engine"))
TIMEOUT = float(os.environ.get("KUBEFERRY_TEST_TIMEOUT", "90"))


@dataclasses.dataclass
class Result:
    code: int
    output: str
    """What went to standard output and standard error, in order."""
    memory_peak: int
    """Bytes: the highest resident set of the engine itself, its children not counted."""

    def __repr__(self):
        return f"exit code {self.code}, output:\n{self.output}"


class Engine:
    """One process of the engine. listen: serve /progress on a free port."""

    def __init__(self, *arguments, listen=False, environment=None, wrapper=()):
        self.arguments = [str(argument) for argument in arguments]
        self.port = free_port() if listen else None
        if listen:
            self.arguments += ["--listen", f"127.0.0.1:{self.port}"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self._lines = []
        self.memory_peak = 0
        self.process = subprocess.Popen([*wrapper, ENGINE, *self.arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                        env={**clean, **(environment or {})}, text=True, encoding="utf-8", errors="replace")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._watcher = threading.Thread(target=self._watch_memory, daemon=True)
        self._watcher.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.append(line)

    def _watch_memory(self):
        while self.process.poll() is None:
            with contextlib.suppress(OSError, AttributeError):
                with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
                    peak = int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024
                    self.memory_peak = max(self.memory_peak, peak)
            time.sleep(0.05)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def output(self):
        return "".join(self._lines)

    def wait(self, timeout=None):
        """Waits for the end; one that hangs is killed and is a failure."""
        try:
            self.process.wait(timeout or TIMEOUT)
        except subprocess.TimeoutExpired as error:
            progress = None
            with contextlib.suppress(Exception):
                progress = self.progress()
            self.kill()
            raise AssertionError(f"the engine did not end in time; progress {progress}; output:\n{self.output()}") from error
        self._reader.join(10)
        return Result(self.process.returncode, self.output(), self.memory_peak)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def terminate(self, timeout=30):
        """SIGTERM, then waits for the clean end."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL to the engine and to nothing else; its children must not outlive it for long."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)
        self._reader.join(2)

    def destroy(self):
        """At the end of a test: whatever is left."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
        self._reader.join(2)

    def get(self, path, timeout=5):
        """(status, body) of a request to the engine's HTTP port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def progress(self):
        """The progress document; None while the port does not answer."""
        try:
            return json.loads(self.get("/progress")[1])
        except (OSError, json.JSONDecodeError):
            return None

    def until(self, condition, what, timeout=60):
        """Waits until condition(progress document) is true while the engine runs; returns the document."""
        def look():
            document = self.progress()
            if document is not None and condition(document):
                return document
            if not self.running():
                raise AssertionError(f"the engine ended before {what}: exit code {self.process.returncode}, output:\n{self.output()}")
            return None
        try:
            return eventually(look, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; progress {self.progress()}; output:\n{self.output()}") from error

    def until_output(self, pattern, timeout=60):
        """Waits until a line of the output matches."""
        def look():
            match = re.search(pattern, self.output())
            if match or self.running():
                return match
            raise AssertionError(f"the engine ended without {pattern!r}: exit code {self.process.returncode}, "
                                 f"output:\n{self.output()}")
        return eventually(look, timeout, f"{pattern!r} in the output")
