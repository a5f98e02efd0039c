# SPDX-License-Identifier: Apache-2.0
"""How kubeferry finds the cluster and what it says when it cannot: one line, what and where, and never a crash."""

import json
import os
import socket
import subprocess
import threading

import pytest
from cli_command import BINARY, Command, install
from conftest import SCRIPT


@pytest.fixture(scope="module", autouse=True)
def kinds(cluster):
    install(cluster)


@pytest.fixture
def kf(cluster, namespace):
    return Command(cluster, namespace)


def kubeconfig(running, **changes):
    """The admin's, as a document; changes: fields of the cluster, the user or the context."""
    config = json.loads(subprocess.run([SCRIPT, "exec", running.directory, "kubectl", "config", "view", "--raw", "-o", "json"], check=True,
                                       text=True, stdout=subprocess.PIPE).stdout)
    for place, fields in changes.items():
        entry = {"cluster": config["clusters"][0]["cluster"], "user": config["users"][0]["user"], "context": config["contexts"][0]["context"]}[place]
        entry.update(fields)
    return config


def write(path, config):
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return str(path)


def leads_to(tmp_path, server):
    """A kubeconfig for a listening socket of ours."""
    return write(tmp_path / "config", {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                                       "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}}]})


def answer_once(server, answer):
    def serve():
        connection, _address = server.accept()
        connection.recv(4096)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_kubeconfig_that_is_no_yaml(kf, tmp_path):
    file = write(tmp_path / "config", "clusters:\n- name: a\n  cluster: {server: [\n")
    said = kf.refused("migration", "list", "--kubeconfig", file)
    assert file in said and "line 4" in said


def test_no_kubeconfig(kf, tmp_path):
    assert "there is no such file" in kf.refused("migration", "list", "--kubeconfig", "/nowhere/config")
    code, out, err = kf(
        "-u", "KUBECONFIG", f"HOME={tmp_path}", BINARY, "migration", "list", program="env")
    assert (code, out) == (64, "") and "no way to the API server is known" in err and "--kubeconfig" in err


def test_an_unknown_context(kf):
    said = kf.refused("migration", "list", "--context", "prod")
    assert 'there is no context "prod"' in said and "kubeconfig" in said


def test_a_token_that_expired(kf, tmp_path):
    file = write(tmp_path / "config", kubeconfig(kf.cluster, user={"token": "worn-out-token"}))
    said = kf.refused("migration", "list", "--kubeconfig", file, code=1)
    assert "does not accept the credentials of context test" in said and "have expired" in said and "worn-out" not in said


def test_a_server_that_is_not_there(kf, tmp_path):
    file = write(tmp_path / "config", kubeconfig(kf.cluster, cluster={"server": "https://127.0.0.1:1"}))
    said = kf.refused("migration", "list", "--kubeconfig", file, code=1)
    assert "the API server https://127.0.0.1:1 (context test) cannot be asked" in said and "onnect" in said


def test_a_server_that_says_nothing(kf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = leads_to(tmp_path, server)
        run = subprocess.run([BINARY, "migration", "list", "--kubeconfig", file, "--request-timeout", "1"], text=True, stderr=subprocess.PIPE, timeout=20)
    assert run.returncode == 1 and "cannot be asked" in run.stderr and run.stderr.count("\n") == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal",
                                    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nGone", b"SSH-2.0-OpenSSH\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"items\":[42]"])
def test_a_server_that_is_something_else(tmp_path, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = answer_once(server, answer)
        file = leads_to(tmp_path, server)
        run = subprocess.run([BINARY, "migration", "list", "--kubeconfig", file], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        thread.join()
    assert run.returncode == 1 and run.stderr.count("\n") == 1 and run.stderr.startswith("kubeferry: "), (run.returncode, run.stderr)


def test_several_files_are_merged(kf, tmp_path):
    config = kubeconfig(kf.cluster)
    first = write(tmp_path / "first", {"kind": "Config", "current-context": "mine",
                                       "contexts": [{"name": "mine", "context": {"cluster": "test", "user": "admin", "namespace": kf.namespace}}]})
    second = write(tmp_path / "second", config)
    kf.create("here")
    env = {"KUBECONFIG": f"{first}:{tmp_path}/not-there:{second}"}
    inside = ["nsenter", f"--net=/proc/{open(os.path.join(kf.cluster.directory, 'run', 'netns.pid')).read().strip()}/ns/net"]
    run = subprocess.run([*inside, BINARY, "migration", "list", "-o", "name"], text=True, stdout=subprocess.PIPE, env={**os.environ, **env}, check=True)
    assert run.stdout == "migrationtask.datamigration.apecloud.io/here\n"  # the namespace is the first file's, the cluster the second's


def test_kinds_of_identity(kf, tmp_path):
    kf.create("here")
    token = kubeconfig(kf.cluster)["users"][0]["user"]["token"]
    token_file = write(tmp_path / "token", token + "\n")
    plugin = tmp_path / "login"
    plugin.write_text('#!/bin/sh\nprintf \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}\' "$TOKEN"\n')
    plugin.chmod(0o755)
    pki = os.path.join(kf.cluster.directory, "pki")
    users = {
        "token file": {"tokenFile": token_file},
        "plugin": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "args": [], "env": [{"name": "TOKEN", "value": token}]}},
        "certificate": {"client-certificate": f"{pki}/kubelet-client.crt", "client-key": f"{pki}/kubelet-client.key"},
    }
    for name, user in users.items():
        config = kubeconfig(kf.cluster)
        config["users"][0]["user"] = user
        assert "/here\n" in kf.good("migration", "list", "-o", "name", "--kubeconfig", write(tmp_path / "config", config)), name
    config["users"][0]["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "kubeferry-no-such-login"}}
    said = kf.refused("migration", "list", "--kubeconfig", write(tmp_path / "config", config), code=1)
    assert "credential plugin kubeferry-no-such-login" in said and "PATH" in said


PROXY = """import socket, threading
def pipe(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(client):
    request = b""
    while b"\\r\\n\\r\\n" not in request:
        request += client.recv(4096)
    print(request.split(b"\\r\\n")[0].decode(), flush=True)
    server = socket.create_connection(("10.244.0.1", 6443))
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    threading.Thread(target=pipe, args=(client, server), daemon=True).start()
    pipe(server, client)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def test_through_a_proxy_and_under_another_name(kf, cluster, tmp_path):
    """Only the proxy knows where the names of the kubeconfig lead to."""
    kf.create()
    proxy = cluster.start("/usr/bin/python3", "-c", PROXY, stdout=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{int(proxy.stdout.readline())}"
        file = write(tmp_path / "config", kubeconfig(cluster, cluster={"server": "https://kubernetes.default.svc:6443", "proxy-url": url}))
        assert "mytask" in kf.good("migration", "list", "--kubeconfig", file)
        assert proxy.stdout.readline() == "CONNECT kubernetes.default.svc:6443 HTTP/1.1\n"
        other = {"server": "https://cluster.example:6443", "proxy-url": url}
        file = write(tmp_path / "config", kubeconfig(cluster, cluster=other))
        assert "cluster.example" in kf.refused("migration", "list", "--kubeconfig", file, code=1)
        file = write(tmp_path / "config", kubeconfig(cluster, cluster={**other, "tls-server-name": "kubernetes.default.svc"}))
        assert "mytask" in kf.good("migration", "list", "--kubeconfig", file)
        file = write(tmp_path / "config", kubeconfig(cluster, cluster={"tls-server-name": "cluster.example"}))
        assert "cluster.example" in kf.refused("migration", "list", "--kubeconfig", file, code=1)
    finally:
        proxy.kill()
        proxy.wait()


def test_as_another_user(kf):
    said = kf.refused("migration", "list", "--as", "nobody-special", code=1)
    assert 'User "nobody-special" cannot list' in said and "Role and a RoleBinding" in said


def test_in_a_pod(kf):
    """The service account's files stand where every pod has them; the rest is the environment."""
    kf.create("here")
    kf.kubectl("create", "serviceaccount", "person")
    kf.kubectl("create", "rolebinding", "person", "--clusterrole=cluster-admin", f"--serviceaccount={kf.namespace}:person")
    token = kf.kubectl("create", "token", "person").strip()
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f"""mount -t tmpfs none /var/run && mkdir -p {folder} && cp {kf.cluster.directory}/pki/ca.crt {folder}/ca.crt
    printf %s "$TOKEN" >{folder}/token; printf %s {kf.namespace} >{folder}/namespace
    unset KUBECONFIG; export KUBERNETES_SERVICE_HOST=10.244.0.1 KUBERNETES_SERVICE_PORT=6443; exec {BINARY} migration list -o name"""
    run = subprocess.run([SCRIPT, "exec", kf.cluster.directory, "unshare", "--mount", "sh", "-c", script], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TOKEN": token})
    assert (run.returncode, run.stdout) == (0, "migrationtask.datamigration.apecloud.io/here\n"), run.stderr


def test_a_cluster_without_migrations(kf, tmp_path):
    """As such an API server answers."""
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    body = json.dumps({"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "the server could not find the requested resource", "code": 404}).encode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = answer_once(server, answer % (len(body), body))
        file = leads_to(tmp_path, server)
        run = subprocess.run([BINARY, "migration", "list", "--kubeconfig", file], text=True, stderr=subprocess.PIPE, timeout=20)
        thread.join()
    assert (run.returncode, run.stderr) == (1, "kubeferry: the cluster of context c has no migrations yet; kubeferry addon enable migration\n")


def test_ctrl_c_ends_a_request_at_once(kf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = leads_to(tmp_path, server)
        process = subprocess.Popen([BINARY, "migration", "list", "--kubeconfig", file], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _address = server.accept()
        process.terminate()
        out, err = process.communicate(timeout=5)
        connection.close()
    assert process.returncode == 1 and out == "", (process.returncode, err)
