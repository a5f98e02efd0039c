# SPDX-License-Identifier: Apache-2.0
"""initData with a parallelism above one: the pods of an Indexed Job share the queue in the sink and nothing else."""

import contextlib
import json
import os
import signal
import time

from kube import process_of
from servers import eventually

# On the sink each row takes its time (the check is made there, too), so that every pod gets something to do.
SCHEMA = """
CREATE FUNCTION public.nap(id int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF id % 20 = 0 AND current_database() LIKE 'sink%' THEN PERFORM pg_catalog.pg_sleep(0.01); END IF;
  RETURN true;
END $$;
DO $$ BEGIN FOR i IN 1..60 LOOP
  EXECUTE format('CREATE TABLE public.t%s (id int PRIMARY KEY CHECK (public.nap(id)), v text)', i);
  EXECUTE format('INSERT INTO public.t%s SELECT n, md5(n::text) FROM generate_series(1, 800) n', i);
END LOOP; END $$;
CREATE TABLE public.nokey (id int CHECK (public.nap(id)), v text);
ALTER TABLE public.nokey ALTER v SET STORAGE PLAIN;
ALTER TABLE public.nokey REPLICA IDENTITY FULL;
INSERT INTO public.nokey SELECT n, repeat(md5(n::text), 200) FROM generate_series(1, 9000) n;
"""
WORKERS = {"initData": {"parallelism": 3, "jobs": 1}}


def prepare(migration):
    migration.source.execute(SCHEMA)
    migration.source.execute("ANALYZE")
    migration.marker_table()
    migration.apply(initialization__config=WORKERS)


def pods_of_copy(migration):
    """By index, the newest of each."""
    found = {}
    for pod in sorted(migration.pods(), key=lambda pod: pod["metadata"]["creationTimestamp"]):
        if pod["metadata"].get("annotations", {}).get("common.apecloud.io/serial_job_order") == "2":
            found[int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])] = pod
    return found


def last_word(pod):
    return json.loads(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"])


def test_three_pods_share_the_copy(migration):
    prepare(migration)
    migration.wait_for_status("Running", timeout=240)
    job = migration.jobs()[f"{migration.name}-initdata-2"]
    assert job["spec"]["completionMode"] == "Indexed" and job["status"]["succeeded"] == 3 and not job["status"].get("failed")
    words = {index: last_word(pod) for index, pod in pods_of_copy(migration).items()}
    assert sorted(words) == [0, 1, 2]
    rows = {index: word["copy"]["rowsDone"] for index, word in words.items()}
    assert rows[0] == 60 * 800 + 9000, "the first pod counts what all did"
    assert rows[1] > 0 and rows[2] > 0 and rows[1] + rows[2] < rows[0], rows
    migration.settle()
    migration.assert_equal()


def test_pods_are_killed_while_they_share(migration):
    prepare(migration)

    def running():
        return {index: pod for index, pod in pods_of_copy(migration).items() if pod["status"].get("phase") == "Running"}

    eventually(lambda: len(running()) == 3, 120, "three pods at work")
    copied = "SELECT sum(rows) FROM kubeferry.relation"
    eventually(lambda: (migration.sink.value(copied) or 0) > 800, 60, "the first rows")
    for index in (0, 2, 1, 0):
        pod = running().get(index)
        if pod:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_of(pod["metadata"]["uid"], "kubeferry-engine"), signal.SIGKILL)
        time.sleep(2)
    migration.wait_for_status("Running", timeout=300)
    assert migration.jobs()[f"{migration.name}-initdata-2"]["status"]["failed"] >= 2
    migration.settle()
    migration.assert_equal()
    migration.delete()
    assert migration.leftovers() == []
