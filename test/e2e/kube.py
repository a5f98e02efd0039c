# SPDX-License-Identifier: Apache-2.0
"""A test cluster (test/cluster) and what is installed in it. Knows nothing of PostgreSQL."""

import contextlib
import ctypes
import fcntl
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "test", "cluster", "cluster.sh")
CHART = os.path.join(ROOT, "helm", "migration")
CLONE_NEWNET = 0x40000000
TASKS = "/apis/datamigration.apecloud.io/v1alpha1"


def enter_network_namespace(path):
    """Of this thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(fd)


def connect_inside(netns, address, timeout):
    """A TCP connection whose socket lives in another network namespace."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter_network_namespace(netns)
        return socket.create_connection(address, timeout)
    finally:
        enter_network_namespace(f"/proc/self/fd/{back}")
        os.close(back)


class _Connection(http.client.HTTPSConnection):
    def __init__(self, netns, *arguments, **options):
        super().__init__(*arguments, **options)
        self._netns = netns

    def connect(self):
        plain = connect_inside(self._netns, (self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Cluster:
    def __init__(self, directory):
        self.directory = directory
        self.kubeconfig = os.path.join(directory, "kubeconfig")
        self._connection = None

    # ---- programs in the cluster's network namespace ----------------------------------------------------------------

    def run(self, verb, *arguments, **options):
        return subprocess.run([SCRIPT, verb, self.directory, *arguments], check=True, text=True, **options)

    def kubectl(self, *arguments, **options):
        """What kubectl prints; raises when it fails."""
        return self.run("exec", "kubectl", *arguments, stdout=subprocess.PIPE, **options).stdout

    def start(self, *command, **options):
        """A process inside the cluster's network namespace."""
        return subprocess.Popen([SCRIPT, "exec", self.directory, *command], text=True, **options)

    def call(self, *command, **options):
        """(exit code, everything that the command said)"""
        run = subprocess.run([SCRIPT, "exec", self.directory, *command], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, **options)
        return run.returncode, run.stdout

    def helm(self, *arguments, check=True):
        """What helm says."""
        code, said = self.call(helm(), *arguments)
        assert code == 0 or not check, f"helm {' '.join(arguments)}: exit code {code}\n{said}"
        return said

    @property
    def netns(self):
        with open(os.path.join(self.directory, "run", "netns.pid"), encoding="ascii") as file:
            return f"/proc/{file.read().strip()}/ns/net"

    # ---- objects ----------------------------------------------------------------------------------------------------

    def access(self):
        """Host and port of the API server, and the token of a person who may do everything."""
        with open(self.kubeconfig, encoding="ascii") as file:
            config = file.read()
        return *re.search(r'server: "https://([^:]+):(\d+)"', config).groups(), re.search(r"token: (\w+)", config)[1]

    def request(self, method, path, body=None, content_type="application/json"):
        """(HTTP status, the answer as JSON or, when it is none, as text), from the API server itself: much cheaper than
        kubectl, for what polls."""
        host, port, token = self.access()
        headers = {"Authorization": "Bearer " + token, "Content-Type": content_type}
        for attempt in (1, 2):
            if self._connection is None:
                context = ssl.create_default_context(cafile=os.path.join(self.directory, "pki", "ca.crt"))
                self._connection = _Connection(self.netns, host, int(port), context=context, timeout=30)
            try:
                self._connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), headers)
                answer = self._connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = None
                if attempt == 2:
                    raise
                continue
            with contextlib.suppress(ValueError):
                return answer.status, json.loads(text)
            return answer.status, text

    def get(self, path):
        """The object or list at that path of the API; None when there is none."""
        status, found = self.request("GET", path)
        if status == 404:
            return None
        assert status == 200, f"{path}: {status} {found}"
        return found

    def items(self, path):
        found = self.get(path)
        return found["items"] if found else []

    def merge(self, path, patch):
        """A merge patch, which must be taken; gives the object."""
        status, answer = self.request("PATCH", path, patch, "application/merge-patch+json")
        assert status == 200, f"{path}: {status} {answer}"
        return answer

    def apply(self, document, *more):
        """kubectl apply of an object, a list of objects, or YAML text; raises when it is refused. Gives what kubectl said."""
        code, said = self.try_apply(document, *more)
        assert code == 0, said
        return said

    def try_apply(self, document, *more):
        """(exit code, everything that kubectl said)"""
        if isinstance(document, list):
            document = {"apiVersion": "v1", "kind": "List", "items": document}
        return self.call("kubectl", "apply", "-f", "-", *more, input=document if isinstance(document, str) else json.dumps(document))

    def in_pod(self, namespace, pod, *command):
        return self.kubectl("exec", "-n", namespace, pod, "--", *command)

    # ---- images -----------------------------------------------------------------------------------------------------

    def import_images(self):
        """Brings the images of the present sources into the node; gives a text that stands for them."""
        directory = images()
        mark = os.path.join(self.directory, "images")
        with _locked(mark + ".lock"):
            with contextlib.suppress(FileNotFoundError), open(mark, encoding="utf-8") as file:
                if file.read() == directory:
                    return directory
            for name in ("pause", "controller", "engine"):
                self.run("import", os.path.join(directory, name + ".tar"), stdout=subprocess.DEVNULL)
            with open(mark, "w", encoding="utf-8") as file:
                file.write(directory)
        return directory

    # ---- what went wrong --------------------------------------------------------------------------------------------

    def describe(self, namespace):
        """Everything that a person would look at after a failure in that namespace."""
        parts = []
        for command in (["get", "mt,jobs,pods", "-o", "wide"], ["describe", "mt"], ["events"],
                        ["get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.name}{' '}{.status}{'\\n'}{end}"]):
            parts.append("$ kubectl " + " ".join(command[:2]) + "\n" + self.call("kubectl", "-n", namespace, *command)[1])
        for pod in self.items(f"/api/v1/namespaces/{namespace}/pods"):
            name = pod["metadata"]["name"]
            parts.append(f"$ kubectl logs {name}\n" + self.call("kubectl", "-n", namespace, "logs", "--tail=60", name)[1])
        return "\n".join(parts)


@contextlib.contextmanager
def _locked(path):
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def images():
    """The directory of the archives of the present sources, or those that KUBEFERRY_IMAGES names: a run keeps to one state."""
    given = os.environ.get("KUBEFERRY_IMAGES")
    if given:
        return given
    run = subprocess.run([os.path.join(ROOT, "test", "images", "build.sh")], check=True, text=True, stdout=subprocess.PIPE)
    return run.stdout.strip()


def helm():
    run = subprocess.run([SCRIPT, "helm"], check=True, text=True, stdout=subprocess.PIPE)
    return run.stdout.strip()


class Operator:
    """The chart, installed. Several test processes may share one: whoever comes first installs it."""

    def __init__(self, cluster, release="kubeferry", namespace="kubeferry-system"):
        self.cluster, self.release, self.namespace = cluster, release, namespace
        self.deployment = f"{release}-migration"

    def install(self, *options):
        """With the images and the chart of the present sources; waits until both controllers are ready."""
        images = self.cluster.import_images()
        mark = os.path.join(self.cluster.directory, "operator")
        with _locked(mark + ".lock"):
            state, seen = _state_of_chart() + " ".join(options) + "\n" + images, ""
            with contextlib.suppress(FileNotFoundError), open(mark, encoding="utf-8") as file:
                seen = file.read()
            if seen == state:
                return self
            # --take-ownership: tests of the kinds alone apply crds/ by hand before.
            self.cluster.helm("upgrade", "--install", self.release, CHART, "--namespace", self.namespace, "--create-namespace",
                              "--take-ownership", "--wait", "--timeout", "120s", *options)
            if seen and not seen.endswith(images):  # the same tag, another content
                self.renew_pods()
            with open(mark, "w", encoding="utf-8") as file:
                file.write(state)
        return self

    def renew_pods(self):
        """Also for who kills them: a container that was killed often is started again only after minutes."""
        self.cluster.kubectl("rollout", "restart", "-n", self.namespace, f"deployment/{self.deployment}")
        self.cluster.kubectl("rollout", "status", "-n", self.namespace, f"deployment/{self.deployment}", "--timeout=120s")

    @contextlib.contextmanager
    def values(self, *settings):
        """The release with other values of the chart, inside."""
        upgrade = ["upgrade", self.release, CHART, "--namespace", self.namespace, "--wait", "--timeout", "120s"]
        lock = os.path.join(self.cluster.directory, "operator.lock")
        with _locked(lock):
            self.cluster.helm(*upgrade, *[word for setting in settings for word in ("--set", setting)])
        try:
            yield
        finally:
            with _locked(lock):
                self.cluster.helm(*upgrade, "--reset-values")

    def uninstall(self):
        self.cluster.helm("uninstall", self.release, "--namespace", self.namespace, "--wait")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.cluster.directory, "operator"))

    def pods(self):
        """The controllers' pods that are not being deleted."""
        found = self.cluster.items(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=app.kubernetes.io/component%3Dcontroller")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self):
        return [pod for pod in self.pods() if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))]

    def leader(self):
        """The name of the pod that holds the Lease; None when nobody does."""
        lease = self.cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/kubeferry-controller")
        holder = (lease or {}).get("spec", {}).get("holderIdentity") or ""
        return next((pod["metadata"]["name"] for pod in self.pods() if holder.startswith(pod["metadata"]["name"])), None)

    def process(self, pod):
        """The process id of a pod's controller on this machine."""
        uid = next(one["metadata"]["uid"] for one in self.pods() if one["metadata"]["name"] == pod)
        return process_of(uid, "kubeferry-controller")

    def logs(self):
        return "\n".join(f"$ kubectl logs {pod['metadata']['name']}\n" + self.cluster.call(
            "kubectl", "-n", self.namespace, "logs", "--tail=200", pod["metadata"]["name"])[1] for pod in self.pods())

    def metrics(self, pod=None):
        """Text of /metrics of a pod (the leader's when None), by way of the API server."""
        status, text = self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/pods/{pod or self.leader()}:8080/proxy/metrics")
        assert status == 200, text
        return text


def _state_of_chart():
    digest = hashlib.sha256()
    for folder, _, files in sorted(os.walk(CHART)):
        for name in sorted(files):
            with open(os.path.join(folder, name), "rb") as file:
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()


def process_of(pod_uid, program, timeout=10):
    """The process id of a program in a pod, as this machine counts."""
    deadline = time.monotonic() + timeout
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/comm", encoding="utf-8") as comm, open(f"/proc/{pid}/cgroup", encoding="utf-8") as group:
                    if program.startswith(comm.read().strip()) and pod_uid in group.read().replace("_", "-"):
                        return int(pid)
        assert time.monotonic() < deadline, f"no process {program} in the pod {pod_uid}"
        time.sleep(0.1)
