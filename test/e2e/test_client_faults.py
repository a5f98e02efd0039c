# SPDX-License-Identifier: Apache-2.0
"""common/k8s behind a proxy that fails: whatever happens on the way, the watcher ends equal to the server."""

import json
import subprocess
import time

import fault_proxy as faults
import pytest
from conftest import admin
from test_watch import Watcher, equal, eventually, put

WATCH_LIST = "sendInitialEvents"
PLAIN_WATCH = r"watch=1(?!.*sendInitialEvents)"
LIST = r"[?&]limit=500"


class Behind:
    """The cluster, as a client of the proxy sees it."""

    def __init__(self, cluster, proxy):
        self.start, self.kubeconfig = cluster.start, proxy.kubeconfig


@pytest.fixture
def watch(cluster, namespace, proxy):
    started = []

    def start(*selector, wait=True):
        started.append(Watcher(Behind(cluster, proxy), namespace, *selector))
        if wait:
            eventually(lambda: started[-1].synced, timeout=60, what="the first complete state")
        return started[-1]

    yield start
    for watcher in started:
        watcher.stop()


def change(cluster, namespace, mark):
    """One is made, one changed, one deleted: what a watcher that misses something gets wrong."""
    put(cluster, namespace, f"new-{mark}", mark)
    put(cluster, namespace, "changed", mark)
    cluster.kubectl("delete", "configmap", "-n", namespace, "doomed", "--ignore-not-found")


def fill(cluster, namespace, count=20):
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"value": "0"}}
             for name in ["changed", "doomed", *(f"c{i}" for i in range(count))]]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def begun(watcher):
    return sum(line == "begin\n" for line in watcher.events)


# ---- the first list fails ------------------------------------------------------------------------------------------

FIRST_LIST = {
    "refused-429": (faults.status(429, retry_after=1), 2),
    "error-500": (faults.status(500), 1),
    "unavailable-503": (faults.status(503), 1),
    "gone-410": (faults.status(410), 2),
    "gone-410-as-event": (faults.error_event(410, after=5), 2),
    "error-500-as-event": (faults.error_event(500, after=5), 1),
    "unauthorized-once": (faults.status(401), 1),
    "truncated-chunk": (faults.truncated(after=7), 1),
    "truncated-first": (faults.truncated(), 1),
    "reset-in-an-event": (faults.reset(after=7), 1),
    "ended-early": (faults.ended(after=7), 1),
    "no-json": (faults.garbage(after=3), 1),
    "connection-lost": (faults.lost_request(), 2),
    "byte-by-byte": (faults.slow(0), 1),
    "late": (faults.delayed(2), 1),
    "connection-closed-after-it": (faults.close_after(), 1),
}


@pytest.mark.parametrize("name", FIRST_LIST)
def test_the_first_list_fails(cluster, namespace, proxy, watch, name):
    fault, times = FIRST_LIST[name]
    fill(cluster, namespace)
    injection = proxy.inject(fault, WATCH_LIST, times=times)
    watcher = watch()
    injection.wait(times)
    equal(watcher, cluster, namespace)
    change(cluster, namespace, "a")
    equal(watcher, cluster, namespace)


# ---- the watch fails -----------------------------------------------------------------------------------------------
# The stream that did the first list is ended by the proxy; what comes then is a plain WATCH from the last version.

LATER = {
    "refused-429": (faults.status(429, retry_after=1), 2),
    "error-500": (faults.status(500), 1),
    "gone-410": (faults.status(410), 1),
    "gone-410-as-event": (faults.error_event(410), 1),
    "truncated-chunk": (faults.truncated(), 1),
    "reset-in-an-event": (faults.reset(), 1),
    "no-json": (faults.garbage(), 1),
    "connection-lost": (faults.lost_request(), 3),
    "byte-by-byte": (faults.slow(0), 1),
    "unauthorized-once": (faults.status(401), 1),
}


@pytest.mark.parametrize("name", LATER)
def test_the_watch_fails(cluster, namespace, proxy, watch, name):
    fault, times = LATER[name]
    fill(cluster, namespace)
    watcher = watch()
    injection = proxy.inject(fault, PLAIN_WATCH, times=times)
    proxy.break_connections()
    change(cluster, namespace, "a")
    injection.wait(times)
    change(cluster, namespace, "b")
    equal(watcher, cluster, namespace)
    change(cluster, namespace, "c")
    equal(watcher, cluster, namespace)


def test_429_does_not_list_again(cluster, namespace, proxy, watch):
    fill(cluster, namespace)
    watcher = watch()
    injection = proxy.inject(faults.status(429, retry_after=1), PLAIN_WATCH, times=3)
    proxy.break_connections()
    start = time.monotonic()
    injection.wait(3)
    change(cluster, namespace, "a")
    equal(watcher, cluster, namespace)
    assert time.monotonic() - start > 2.5  # Retry-After and the back-off were kept to
    assert begun(watcher) == 1


def test_410_for_as_long_as_the_version_is_used(cluster, namespace, proxy, watch):
    """As after etcd's compaction: the server refuses every request that names the old version."""
    fill(cluster, namespace)
    watcher = watch()
    injection = proxy.inject(faults.status(410), r"resourceVersion=\d", times=None)
    proxy.break_connections()
    change(cluster, namespace, "a")
    injection.wait(2)  # the watch, then the list at the last version
    equal(watcher, cluster, namespace)
    injection.remove()
    change(cluster, namespace, "b")
    equal(watcher, cluster, namespace)
    assert begun(watcher) == 3


# ---- a server without WatchList ------------------------------------------------------------------------------------

PAGES = {
    "as-it-should-be": (None, 0),
    "error-500": (faults.status(500), 1),
    "gone-410-in-the-second-page": (faults.status(410), 1),
    "truncated": (faults.truncated(), 1),
    "reset": (faults.reset(), 1),
    "refused-429": (faults.status(429, retry_after=1), 1),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_server_without_watch_list(cluster, namespace, proxy, watch, name):
    fault, times = PAGES[name]
    fill(cluster, namespace, 700)  # two pages
    proxy.inject(faults.status(422), WATCH_LIST, times=None)
    injection = proxy.inject(fault, LIST + (".*continue=" if "second" in name else ""), times=times) if fault else None
    watcher = watch()
    if injection:
        injection.wait(times)
    equal(watcher, cluster, namespace)
    change(cluster, namespace, "a")
    equal(watcher, cluster, namespace)
    assert len(watcher.state) >= 700


# ---- connections ---------------------------------------------------------------------------------------------------

def test_resets_at_any_event(cluster, namespace, proxy, watch):
    fill(cluster, namespace)
    watcher = watch()
    injection = proxy.inject(faults.reset(after=1), "watch=1", times=12)
    proxy.break_connections()
    for i in range(8):
        change(cluster, namespace, f"r{i}")
    injection.wait(3)
    injection.remove()
    equal(watcher, cluster, namespace)


def test_the_proxy_is_down_for_a_while(cluster, namespace, proxy, watch):
    fill(cluster, namespace)
    watcher = watch()
    proxy.down()
    change(cluster, namespace, "a")
    time.sleep(3)
    proxy.up()
    equal(watcher, cluster, namespace)
    assert "Failed to connect" in watcher.log


def test_half_open_at_the_proxy(cluster, namespace, proxy, watch):
    """The other end's kernel still acknowledges, but nothing comes: only the silence itself tells."""
    fill(cluster, namespace)
    watcher = watch()
    assert proxy.freeze() == 1
    change(cluster, namespace, "a")
    eventually(lambda: "asking anew" in watcher.log, timeout=100, what="the silence to be noticed")
    equal(watcher, cluster, namespace)


def test_half_open_in_the_network(cluster, namespace, proxy, watch):
    """Packets vanish: TCP's own probes tell, long before its retransmissions would."""
    fill(cluster, namespace)
    watcher = watch()
    rule = ["-p", "tcp", "--sport", str(proxy.port), "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "DROP"]
    cluster.run("exec", "iptables", "-I", "OUTPUT", *rule)
    try:
        change(cluster, namespace, "a")
        eventually(lambda: "again in" in watcher.log, timeout=60, what="the dead peer to be noticed")
    finally:
        cluster.run("exec", "iptables", "-D", "OUTPUT", *rule)
    equal(watcher, cluster, namespace)


# ---- identities ----------------------------------------------------------------------------------------------------

def test_a_forbidden_watch_says_what_is_missing(cluster, namespace, proxy, watch):
    token = cluster.kubectl("create", "token", "default", "-n", namespace).strip()
    proxy.write_kubeconfig(proxy.kubeconfig, token)
    watcher = watch(wait=False)
    eventually(lambda: "again in" in watcher.log, timeout=30, what="the refusal")
    assert "403 Forbidden" in watcher.log
    assert 'verbs: ["watch"]' in watcher.log and 'resources: ["configmaps"]' in watcher.log
    cluster.kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list,watch", "--resource=configmaps")
    cluster.kubectl("create", "rolebinding", "reader", "-n", namespace, "--role=reader", f"--serviceaccount={namespace}:default")
    equal(watcher, cluster, namespace)  # and goes on by itself
    assert token not in watcher.log


def test_a_token_file_is_read_again(cluster, namespace, proxy, watch, tmp_path):
    _, token = admin(cluster)
    (tmp_path / "token").write_text("outdated", encoding="ascii")
    with open(proxy.kubeconfig, encoding="ascii") as f:
        document = json.load(f)
    document["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    with open(proxy.kubeconfig, "w", encoding="ascii") as f:
        json.dump(document, f)
    fill(cluster, namespace)
    watcher = watch(wait=False)
    eventually(lambda: "401" in watcher.log, timeout=30, what="the refusal")
    (tmp_path / "token").write_text(token + "\n", encoding="ascii")
    equal(watcher, cluster, namespace)


def test_a_plugin_gives_the_token(cluster, namespace, proxy, watch, tmp_path):
    _, token = admin(cluster)
    plugin = tmp_path / "plugin"
    plugin.write_text(f"""#!/bin/sh
[ "$GREETING $1" = "hello get-token" ] || exit 3
case $KUBERNETES_EXEC_INFO in *client.authentication.k8s.io/v1*) ;; *) exit 4 ;; esac
echo x >>{tmp_path}/calls
token={token}
[ -f {tmp_path}/second ] || token=outdated
touch {tmp_path}/second
echo '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"'$token'"}}}}'
""", encoding="ascii")
    plugin.chmod(0o755)
    with open(proxy.kubeconfig, encoding="ascii") as f:
        document = json.load(f)
    document["users"][0]["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin),
                                             "args": ["get-token"], "env": [{"name": "GREETING", "value": "hello"}]}}
    with open(proxy.kubeconfig, "w", encoding="ascii") as f:
        json.dump(document, f)
    fill(cluster, namespace)
    equal(watch(), cluster, namespace)
    assert (tmp_path / "calls").read_text(encoding="ascii") == "x\nx\n"  # once, and once more after the 401


def test_a_client_certificate_and_another_server_name(cluster, namespace, watch, proxy, tmp_path):
    """Straight to the API server, without the proxy: its certificate is good for kubernetes.default.svc, too."""
    pki = f"{cluster.directory}/pki"
    document = {"apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": admin(cluster)[0], "certificate-authority": f"{pki}/ca.crt",
                                                       "tls-server-name": "kubernetes.default.svc"}}],
                "users": [{"name": "c", "user": {"client-certificate": f"{pki}/kubelet-client.crt",
                                                 "client-key": f"{pki}/kubelet-client.key"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]}
    with open(proxy.kubeconfig, "w", encoding="ascii") as f:
        json.dump(document, f)
    fill(cluster, namespace)
    equal(watch(), cluster, namespace)


def test_another_certificate_authority_is_refused(cluster, namespace, watch, proxy, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "ca.crt"], check=True, capture_output=True)
    with open(proxy.kubeconfig, encoding="ascii") as f:
        document = json.load(f)
    del document["clusters"][0]["cluster"]["certificate-authority-data"]
    document["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "ca.crt")
    with open(proxy.kubeconfig, "w", encoding="ascii") as f:
        json.dump(document, f)
    watcher = watch(wait=False)
    eventually(lambda: "again in" in watcher.log, timeout=30, what="the refusal")
    assert "certificate" in watcher.log and not watcher.synced


# ---- the proxy itself ----------------------------------------------------------------------------------------------

def test_many_watches_through_the_proxy(cluster, namespace, proxy):
    fill(cluster, namespace)
    watchers = [Watcher(Behind(cluster, proxy), namespace) for _ in range(30)]
    try:
        eventually(lambda: all(w.synced for w in watchers), timeout=60, what="30 complete states")
        change(cluster, namespace, "a")
        for watcher in watchers:
            equal(watcher, cluster, namespace)
        assert proxy.open_connections() == 30
    finally:
        for watcher in watchers:
            watcher.stop()
    eventually(lambda: proxy.open_connections() == 0, what="the connections' end")
