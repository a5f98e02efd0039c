# SPDX-License-Identifier: Apache-2.0
"""kubeferry migration logs: which pod, what of it, and over restarts."""

import signal
import subprocess

import pytest
from cli_command import BINARY, TALKER, Command, import_talker, install
from conftest import SCRIPT

POSITION = "2023-04-23 09:55:10.700 UTC INFO position_logger - current_position | lsn:0/56E53A8,timestamp:2023-04-23 09:55:10.695 UTC-0000"
LABEL = {"datamigration.apecloud.io/migrationtask": "mytask"}


@pytest.fixture(scope="module", autouse=True)
def kinds(cluster):
    install(cluster)
    import_talker(cluster)


@pytest.fixture
def kf(cluster, namespace):
    one = Command(cluster, namespace)
    one.create()
    return one


def job(kf, name, annotations, *said, suspend=False, labels=None, restart="Never"):
    kf.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels or LABEL}, "spec": {
        "suspend": suspend, "backoffLimit": 3, "template": {"metadata": {"labels": LABEL, "annotations": annotations}, "spec": {
            "restartPolicy": restart, "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "mytask", "image": TALKER, "imagePullPolicy": "Never", "args": list(said)},
                           {"name": "other", "image": TALKER, "imagePullPolicy": "Never", "args": ["not this one"]}][:1 if said[-1:] == ("exit=0",) else 2]}}}})


def step(kf, order, name, *said, **options):
    job(kf, f"mytask-{name}-{order}", {"common.apecloud.io/serial_job_order": str(order)}, *said, **options)


def cdc(kf, *said, **options):
    job(kf, "mytask-cdc", {"datamigration.apecloud.io/step": "cdc"}, *said, labels={"kubeferry.io/task": "mytask"}, **options)


def says(kf, *words):
    found = kf("migration", "logs", "mytask", *words)
    return found[1] if found[0] == 0 else ""


def test_logs_of_each_step(kf):
    step(kf, 0, "precheck", "checking", "fine", "exit=0")
    step(kf, 2, "initdata", suspend=True)
    cdc(kf, POSITION)
    kf.wait_for(lambda: says(kf, "--step", "precheck") == "checking\nfine\n", 60)
    kf.wait_for(lambda: says(kf, "--step", "cdc") == POSITION + "\n", 60)
    assert says(kf, "--step", "preCheck", "--tail", "1") == "fine\n"
    said = kf.refused("migration", "logs", "mytask", "--step", "init-data", code=1)
    assert said.startswith("kubeferry: migrationtask[mytask] step[init-data] 's pod not found; the step has not begun")
    assert "step[init-struct] 's pod not found; kubeferry migration describe mytask" in kf.refused("migration", "logs", "mytask", "--step", "init-struct", code=1)
    assert "the task mytask has no step init-struct-later" in kf.refused("migration", "logs", "mytask", "--step", "init-struct-later", code=1)
    assert "there is no step 'init-dta'; did you mean init-data?" in kf.refused("migration", "logs", "mytask", "--step", "init-dta")
    assert "--step is missing" in kf.refused("migration", "logs", "mytask")
    kf.set_status({"progress": {"step": "cdc"}})
    assert says(kf) == POSITION + "\n"
    assert "previous terminated container" in kf.refused("migration", "logs", "mytask", "--step", "cdc", "--previous", code=1)


def test_follow_and_grep(kf):
    cdc(kf, "starting", POSITION, "pause=1500", "later " + POSITION)
    kf.wait_for(lambda: "starting" in says(kf, "--step", "cdc"), 60)
    run = subprocess.run([SCRIPT, "exec", kf.cluster.directory, "bash", "-c",
                          f"{BINARY} migration logs mytask --step cdc -f -n {kf.namespace} | grep -m 2 current_position"],
                         text=True, stdout=subprocess.PIPE, timeout=60)
    assert run.stdout.splitlines() == [POSITION, "later " + POSITION]


def test_follow_goes_on_with_the_next_pod_and_ends_with_the_job(kf):
    cdc(kf, "first")
    kf.wait_for(lambda: says(kf, "--step", "cdc") == "first\n", 60)
    process = kf.start("migration", "logs", "mytask", "--step", "cdc", "--follow")
    assert process.stdout.readline() == "first\n"
    kf.kubectl("delete", "job", "mytask-cdc", "--wait=true")
    cdc(kf, "second", "exit=0")
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out, err) == (0, "second\n", "")


def test_follow_reads_a_pod_that_came_and_ended_between_two_looks(kf):
    cdc(kf, "first")
    kf.wait_for(lambda: says(kf, "--step", "cdc") == "first\n", 60)
    process = kf.start("migration", "logs", "mytask", "--step", "cdc", "--follow")
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGSTOP)
    kf.kubectl("delete", "job", "mytask-cdc", "--wait=true")
    cdc(kf, "second", "exit=0")
    kf.kubectl("wait", "job/mytask-cdc", "--for=condition=Complete", "--timeout=60s")
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out, err) == (0, "second\n", "")


def test_follow_ends_at_ctrl_c(kf):
    cdc(kf, "first")
    kf.wait_for(lambda: says(kf, "--step", "cdc") == "first\n", 60)
    process = kf.start("migration", "logs", "mytask", "--step", "cdc", "--follow")
    assert process.stdout.readline() == "first\n"
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
