# SPDX-License-Identifier: Apache-2.0
"""kubeferry at a terminal of 80 columns: typed by a person, in tmux, looked at as it stands on the screen."""

import os
import shlex
import subprocess
import time

import pytest
from cli_command import BINARY, Command, condition, install, ready
from conftest import SCRIPT
from test_cli import COPYING, FOLLOWING, passwords

GREEN, RED = "\x1b[32m", "\x1b[31m"


class Screen:
    """A terminal with a shell in the network of the cluster."""

    def __init__(self, cluster, folder, columns=80, lines=24, env=None):
        self.socket = os.path.join(folder, "tmux")
        variables = {"PATH": f"{os.path.dirname(BINARY)}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})}
        start = os.path.join(folder, "bashrc")
        with open(start, "w") as file:
            file.write("PS1='$ '\n")
        shell = ["env", *[f"{name}={value}" for name, value in variables.items()], SCRIPT, "exec", cluster.directory, "bash", "--rcfile", start]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), shlex.join(shell))
        self.wait_for("$")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], check=True, text=True, stdout=subprocess.PIPE).stdout

    def look(self, colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else [])).rstrip("\n")

    def type(self, text, enter=True):
        self.tmux("send-keys", "-l", text)
        if enter:
            self.tmux("send-keys", "Enter")

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def wait_for(self, *texts, gone=(), seconds=30):
        end = time.monotonic() + seconds
        while True:
            seen = self.look()
            if all(text in seen for text in texts) and not any(text in seen for text in gone):
                return seen
            assert time.monotonic() < end, f"{texts} not on the screen:\n{seen}"
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False)


@pytest.fixture(scope="module", autouse=True)
def kinds(cluster):
    install(cluster)


@pytest.fixture
def kf(cluster, namespace):
    return Command(cluster, namespace)


@pytest.fixture
def screen(cluster, tmp_path):
    opened = []

    def open_one(**options):
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Screen(cluster, folder, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_create_asks_for_what_is_missing(kf, screen):
    one = screen()
    one.type(f"kubeferry migration create -n {kf.namespace}")
    one.wait_for("Name of the task:")
    one.type("mytask")
    one.wait_for("Source (user@host:port/database):")
    one.type("app@10.0.0.1:5432/shop")
    one.wait_for("Password of app@10.0.0.1:5432/shop (empty: none):")
    one.type("s3cret @:/")
    one.wait_for("Sink (user@host:port/database):")
    one.type("app:known@10.0.0.2:5432/shop")
    one.wait_for("What to move")
    one.type('"public.orders","sales"')
    seen = one.wait_for("MigrationTask mytask created")
    assert "s3cret" not in seen
    assert passwords(kf) == {"source-password": "s3cret @:/", "sink-password": "known"}
    assert [item["schemaName"] for item in kf.get("mt", "mytask")["spec"]["migrationObj"]["whiteList"]] == ["public", "sales"]
    one.type("echo can you read me")
    one.wait_for("\ncan you read me")  # the echo is on again


def test_a_question_can_be_left(kf, screen):
    one = screen()
    one.type(f"kubeferry migration create mytask -n {kf.namespace} --source app@h:1/d")
    one.wait_for("Password of app@h:1/d")
    one.keys("C-c")
    one.wait_for("$ ", gone=())
    one.type("stty -a | grep -o ' echo '; echo code $?")
    one.wait_for("\n echo", "code 0")
    assert kf.get("mt")["items"] == []


def test_terminate_at_a_terminal(kf, screen):
    kf.create()
    one = screen()
    one.type(f"kubeferry migration terminate mytask -n {kf.namespace}")
    one.wait_for("Type the name again to terminate:")
    one.type("mytask")
    one.wait_for("MigrationTask mytask deleted")
    assert kf.get("mt")["items"] == []


def test_colours_at_a_terminal_only_and_not_with_no_color(kf, screen):
    kf.create("good")
    kf.set_status(FOLLOWING, "good")
    kf.create("bad")
    kf.set_status({"taskStatus": "Init", "conditions": [condition("Stalled", "True", "PrecheckFailed", "no")]}, "bad")
    one, command = screen(), f"kubeferry migration list -n {kf.namespace}"
    one.type(command)
    one.wait_for("Running", "Failed")
    seen = one.look(colours=True)
    assert GREEN + "Running" in seen and RED + "Failed" in seen
    plain = screen(env={"NO_COLOR": "1"})
    plain.type(command)
    plain.wait_for("Running", "Failed")
    assert "\x1b[3" not in plain.look(colours=True)
    plain.type("clear; " + command + " --color always")
    plain.wait_for("Running", "Failed")
    assert GREEN + "Running" in plain.look(colours=True)


def test_list_fits_80_columns(kf, screen):
    kf.create()
    kf.set_status(COPYING)
    one = screen()
    one.type(f"clear; kubeferry migration list -n {kf.namespace}")
    one.wait_for("mytask", "56 %", "InitData")
    lines = one.look().splitlines()
    assert lines[0].split() == ["NAME", "TEMPLATE", "STATUS", "AGE", "PROGRESS", "ROWS", "LAG", "REASON"]
    assert len(lines) == 3, lines  # no line wrapped
    wider = screen(columns=120)
    wider.type(f"clear; kubeferry migration list -n {kf.namespace}")
    wider.wait_for("[███░░░]  56 %")


def test_list_watch_draws_over_itself(kf, screen):
    kf.create()
    one = screen()
    one.type(f"clear; kubeferry migration list --watch -n {kf.namespace}")
    one.wait_for("mytask")
    kf.set_status(COPYING)
    one.wait_for("56 %")
    kf.create("second")
    one.wait_for("second")
    kf.set_status(FOLLOWING)
    seen = one.wait_for("Running", gone=("56 %",))
    assert seen.count("mytask") == 1 and seen.count("NAME") == 1, seen
    kf.good("migration", "terminate", "second", "--auto-approve")
    one.wait_for("mytask", gone=("second",))
    one.keys("C-c")
    one.type("echo code $?")
    one.wait_for("code 0")


def test_describe_watch_at_80_columns(kf, screen):
    kf.create("mytask", "--migration-object", '"public.orders"')
    kf.set_status(COPYING)
    one = screen(lines=40)
    one.type(f"clear; kubeferry migration describe mytask --watch -n {kf.namespace}")
    seen = one.wait_for("Status: Init", "56 %", "rows: 1,234,567 of about 2,300,000, 45,000/s", "0:01:15 left",
                        "size: 5.0 MB of 9.0 MB", "tables: 3 of 9, indexes and constraints: 1 of 12", "rows are being copied")
    assert all(len(line) <= 80 for line in seen.splitlines())
    kf.set_status(FOLLOWING)
    seen = one.wait_for("Status: Running", "lag: 0.4 s", "0/56E54A8", gone=("56 %",))
    assert seen.count("Name: mytask") == 1 and "Initialization:" in seen, seen
    initialization = [line for line in seen.splitlines() if line.startswith("init-struct")]
    assert len(initialization) == 1, seen
    kf.good("migration", "terminate", "mytask", "--auto-approve")
    one.wait_for("The task mytask is gone.")


def test_a_low_window_is_not_scrolled(kf, screen):
    kf.create()
    kf.set_status(FOLLOWING)
    one = screen(lines=12)
    one.type(f"clear; kubeferry migration describe mytask --watch -n {kf.namespace}")
    one.wait_for("more lines: make the window higher")
    time.sleep(3)  # three more pictures
    seen = one.wait_for("more lines: make the window higher")
    assert seen.count("Name: mytask") == 1 and seen.splitlines()[0].startswith("Name: mytask"), seen


def test_create_follow_shows_the_way(kf, screen):
    one = screen(lines=40)
    one.type(f"clear; kubeferry migration create mytask -n {kf.namespace} --source a:bcd@h:1/d --sink a:bcd@i:1/d --follow")
    one.wait_for("Name: mytask", "Status: -")
    kf.set_status(COPYING)
    one.wait_for("56 %")
    kf.set_status({**FOLLOWING, "conditions": ready()})
    one.wait_for("Status: Running", "\n$")
    one.type("echo code $?")
    one.wait_for("code 0")


def test_zsh_completes(screen):
    one = screen()
    one.type("exec zsh -f")
    one.type("autoload -U compinit; compinit -u -D; source <(kubeferry completion zsh); clear")
    one.type("kubeferry migration des", enter=False)
    one.keys("Tab")
    one.wait_for("kubeferry migration describe")
    one.type("mytask --wa", enter=False)
    one.keys("Tab")
    one.wait_for("kubeferry migration describe mytask --watch")


@pytest.mark.alone
def test_a_lost_server_does_not_end_what_is_watched(cluster, kf, screen):
    kf.create()
    kf.set_status(COPYING)
    one, other = screen(), screen(lines=40)
    one.type(f"clear; kubeferry migration list --watch -n {kf.namespace}")
    other.type(f"clear; kubeferry migration describe mytask --watch -n {kf.namespace}")
    one.wait_for("56 %")
    other.wait_for("56 %")
    cluster.run("restart", "kube-apiserver")
    kf.wait_for(lambda: subprocess.run([SCRIPT, "exec", cluster.directory, "kubectl", "get", "--raw", "/readyz"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE).returncode == 0, 60)
    kf.set_status(FOLLOWING)
    seen = one.wait_for("Running", gone=("56 %",), seconds=60)
    assert seen.count("apecloud-pg2pg") == 1, seen
    other.wait_for("Status: Running", gone=("56 %",), seconds=60)
    for screen_of in (one, other):
        screen_of.keys("C-c")
        screen_of.type("echo code $?")
        screen_of.wait_for("code 0")
