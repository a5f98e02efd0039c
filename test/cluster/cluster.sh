#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A real one-node Kubernetes cluster in a private network namespace.
#
#   cluster.sh binary              compile the components unless the cache has them; prints the file (5 to 10 minutes cold)
#   cluster.sh helm                compile Helm unless the cache has it; prints the file (2 minutes cold)
#   cluster.sh up DIR              start it; DIR/kubeconfig is the admin's; about 7 s. Running already: nothing happens
#   cluster.sh restart DIR NAME    kill one component (kube-apiserver, etcd, kubelet, …) and start it again
#   cluster.sh exec DIR CMD...     run CMD inside its network namespace, KUBECONFIG set
#   cluster.sh import DIR TAR      load a docker-archive or OCI image into the node
#   cluster.sh down DIR            stop it and remove DIR
#
# Needs root and Debian's containerd, runc, containernetworking-plugins, iptables, iproute2, openssl, and any Go.
# Nothing leaves the namespace: no route out, no name server.
set -euo pipefail

NODE_IP=10.244.0.1        # bridge address: API server, kubelet, and test servers that pods must reach
SERVICE_CIDR=10.96.0.0/16
HERE=$(cd "$(dirname "$0")" && pwd)
KUBE_VERSION=v1.34.4
HELM_VERSION=v3.19.5
GO_TOOLCHAIN=v0.0.1-go1.24.9.linux-amd64 # for machines whose Go is older (Debian 12), and cannot get a newer one by itself
KUBECTL_MINOR_MIN=30
CACHE=${KUBEFERRY_CACHE:-/var/cache/kubeferry}

find_go() { # sets GO
	local dir
	GO=go
	case $(cd / && go env GOVERSION) in
	go1.[0-9] | go1.[0-9].* | go1.1[0-9]* | go1.20*) ;;
	*) return ;;
	esac
	# A toolchain is a module like any other, only that its files are not executable in there.
	dir=$(cd / && go mod download -json "golang.org/toolchain@$GO_TOOLCHAIN" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
	chmod -R u+x "$dir/bin" "$dir/pkg/tool"
	GO=$dir/bin/go
}

compile_once() { # file what builder: prints the file; the builder is called with where to write it
	local target=$1
	mkdir -p "${target%/*}"
	exec 9>"${target%/*}/.lock"
	flock 9
	if [ ! -x "$target" ]; then
		echo "cluster.sh: compiling $2" >&2
		{ find_go && "$3" "$target.part" && mv "$target.part" "$target"; } >&2 || return 1
	fi
	exec 9>&-
	echo "$target"
}

kube_flags() { # what the components say of their version
	local x=k8s.io/component-base/version
	echo "-s -w -X $x.gitVersion=$KUBE_VERSION -X $x.gitMajor=1 -X $x.gitMinor=34 -X $x.gitTreeState=clean"
}

build_kube() { (cd "$HERE" && CGO_ENABLED=0 "$GO" build -trimpath -o "$1" -ldflags "$(kube_flags)" .); }
build_kubectl() { (cd "$HERE/kubectl" && CGO_ENABLED=0 "$GO" build -trimpath -o "$1" -ldflags "$(kube_flags)" .); }

build_helm() { # linked with what its releases are: the version, and the Kubernetes that `helm template` has in mind
	local x=helm.sh/helm/v3
	CGO_ENABLED=0 GOBIN=${1%/*}/part "$GO" install -trimpath -ldflags "-s -w -X $x/internal/version.version=$HELM_VERSION \
		-X $x/pkg/chartutil.k8sVersionMajor=1 -X $x/pkg/chartutil.k8sVersionMinor=34" "$x/cmd/helm@$HELM_VERSION" &&
		mv "${1%/*}/part/helm" "$1"
}

binary() {
	compile_once "$CACHE/kube/kube-$(cat "$HERE"/main.go "$HERE"/go.mod "$HERE"/go.sum | sha256sum | cut -c1-16)" \
		"Kubernetes $KUBE_VERSION, once; this takes 5 to 10 minutes" build_kube
}

helm_binary() { compile_once "$CACHE/helm/helm-$HELM_VERSION" "Helm $HELM_VERSION, once" build_helm; }

kubectl_minor() { # of the machine's; 0: there is none
	kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p' | grep . || echo 0
}

kubectl_binary() { # the machine's if it is new enough
	if [ "$(kubectl_minor)" -ge $KUBECTL_MINOR_MIN ]; then
		command -v kubectl
	else
		compile_once "$CACHE/kubectl-$KUBE_VERSION/kubectl" "kubectl $KUBE_VERSION, once" build_kubectl
	fi
}

inside() { nsenter --net="/proc/$(cat "$D/run/netns.pid")/ns/net" "$@"; }

start() { # name command...
	local name=$1
	shift
	printf '%q ' "$@" >"$D/run/$name.command" # what restart starts again
	# Each of these replaces itself by exec, so that $! is the component's own id.
	nsenter --net="/proc/$(cat "$D/run/netns.pid")/ns/net" setsid "$@" >"$D/log/$name.log" 2>&1 </dev/null &
	echo $! >"$D/run/$name.pid"
}

wait_for() { # seconds command...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || {
			echo "cluster.sh: no success in time: $*" >&2
			tail -n 5 "$D"/log/*.log >&2
			return 1
		}
		sleep 0.2
	done
}

sign() { # name subject [extensions]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "pki/$1.key" -out "pki/$1.csr" -subj "$2" 2>/dev/null
	openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 -out "pki/$1.crt" -extfile <(echo "${3:-}") 2>/dev/null
}

make_pki() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout pki/ca.key -out pki/ca.crt -days 30 -subj /CN=test-ca 2>/dev/null
	sign api /CN=kube-apiserver "subjectAltName=IP:$NODE_IP,IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes.default.svc"
	sign kubelet-client /O=system:masters/CN=apiserver-kubelet-client
	openssl genrsa -out pki/sa.key 2048 2>/dev/null
	openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
	local token
	token=$(openssl rand -hex 16)
	echo "$token,admin,admin,system:masters" >pki/tokens.csv
	cat >kubeconfig <<-EOF
		apiVersion: v1
		kind: Config
		clusters: [{name: test, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 pki/ca.crt)}}]
		users: [{name: admin, user: {token: $token}}]
		contexts: [{name: test, context: {cluster: test, user: admin}}]
		current-context: test
	EOF
}

# A kubelet kills what it finds below its root cgroup and does not know: with one root, clusters side by side would end each
# other's pods.
cgroup_root() { echo "/kubeferry-$(sha256sum <<<"$D" | cut -c1-12)"; }

cgroup_hierarchies() { # each folder in which a root cgroup must be
	if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
		echo /sys/fs/cgroup
	else
		local file
		for file in /sys/fs/cgroup/*/cgroup.procs; do echo "${file%/*}"; done
	fi
}

make_cgroups() {
	local hierarchy
	for hierarchy in $(cgroup_hierarchies); do
		mkdir -p "$hierarchy$(cgroup_root)"
		if [ -f "$hierarchy/cgroup.controllers" ]; then # version 2
			sed -E 's/[a-z]+/+&/g' "$hierarchy/cgroup.controllers" >"$hierarchy/cgroup.subtree_control" || true
		fi
	done
}

remove_cgroups() {
	local hierarchy
	for hierarchy in $(cgroup_hierarchies); do
		[ ! -d "$hierarchy$(cgroup_root)" ] || find "$hierarchy$(cgroup_root)" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}

write_node_config() {
	cat >cni/10-test.conflist <<-EOF
		{"cniVersion": "1.0.0", "name": "test", "plugins": [
		 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipam": {"type": "host-local", "dataDir": "$D/ipam",
		  "ranges": [[{"subnet": "10.244.0.0/24", "rangeStart": "10.244.0.10"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
		 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	EOF
	# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower it, and dies with "can't get final child's PID".
	cat >containerd.toml <<-EOF
		version = 2
		root = "$D/containerd"
		state = "$D/run/containerd"
		[grpc]
		  address = "$D/run/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "kubeferry.test/pause:1"
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/usr/lib/cni"
		    conf_dir = "$D/cni"
	EOF
	cat >kubelet.yaml <<-EOF
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $D/pki/ca.crt}}
		authorization: {mode: Webhook}
		containerRuntimeEndpoint: unix://$D/run/containerd.sock
		cgroupDriver: cgroupfs
		cgroupRoot: $(cgroup_root)
		failSwapOn: false
		address: $NODE_IP
		podLogsDir: $D/pod-logs
		clusterDNS: [10.96.0.10]
		evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%"}
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
		enforceNodeAllocatable: []
	EOF
}

up() {
	local KUBE kubectl
	KUBE=$(binary)
	if [ -f "$D/run/netns.pid" ]; then
		if kill -0 "$(cat "$D/run/netns.pid")" 2>/dev/null; then
			echo "cluster.sh: $D is running already" >&2
			return 0
		fi
		down # what a killed run left
	fi
	kubectl=$(kubectl_binary)
	mkdir -p "$D"/{pki,log,run,cni,bin}
	cd "$D"
	ln -s "$kubectl" bin/kubectl
	PATH=$D/bin:$PATH
	setsid unshare --net sleep infinity </dev/null >/dev/null 2>&1 &
	echo $! >run/netns.pid
	sleep 0.2
	inside ip link set lo up
	inside ip link add cni0 type bridge
	inside ip addr add $NODE_IP/24 dev cni0
	inside ip link set cni0 up
	inside sysctl -qw net.ipv4.ip_forward=1
	make_pki
	make_cgroups
	write_node_config
	start etcd "$KUBE" etcd --data-dir "$D/etcd" --unsafe-no-fsync --log-level warn \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
	start kube-apiserver "$KUBE" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=$NODE_IP --advertise-address=$NODE_IP \
		--tls-cert-file=pki/api.crt --tls-private-key-file=pki/api.key --client-ca-file=pki/ca.crt --token-auth-file=pki/tokens.csv \
		--kubelet-client-certificate=pki/kubelet-client.crt --kubelet-client-key=pki/kubelet-client.key --kubelet-preferred-address-types=InternalIP \
		--service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key --service-account-issuer=https://kubernetes.default.svc \
		--service-cluster-ip-range=$SERVICE_CIDR --authorization-mode=Node,RBAC --shutdown-delay-duration=0s
	start containerd containerd -c containerd.toml
	wait_for 60 inside kubectl --kubeconfig kubeconfig get --raw /readyz
	start kube-controller-manager "$KUBE" kube-controller-manager --kubeconfig=kubeconfig --service-account-private-key-file=pki/sa.key \
		--root-ca-file=pki/ca.crt --use-service-account-credentials --leader-elect=false --bind-address=127.0.0.1
	start kube-scheduler "$KUBE" kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --bind-address=127.0.0.1
	wait_for 30 ctr -a run/containerd.sock version
	start kubelet "$KUBE" kubelet --kubeconfig=kubeconfig --config=kubelet.yaml --root-dir="$D/kubelet" --node-ip=$NODE_IP --hostname-override=node1
	start kube-proxy "$KUBE" kube-proxy --kubeconfig=kubeconfig --hostname-override=node1 --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 \
		--conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
	wait_for 60 inside kubectl --kubeconfig kubeconfig wait --for=condition=Ready node/node1 --timeout=0
	wait_for 30 inside kubectl --kubeconfig kubeconfig get serviceaccount default
}

restart() { # name
	local pid command
	pid=$(cat "$D/run/$1.pid")
	kill -9 "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	cd "$D"
	eval "command=($(cat "run/$1.command"))"
	start "$1" "${command[@]}"
}

# end SIGNAL NAME...: by the process ids of `start`, unless other processes have got them since.
end() {
	local signal=$1 name p
	shift
	for name in "$@"; do
		p=$(cat "$D/run/$name.pid" 2>/dev/null) || continue
		if [ "$(readlink "/proc/$p/cwd")" = "$D" ]; then
			kill -s "$signal" "$p" 2>/dev/null || true # it may end by itself in between
		fi
	done
}
down() {
	local p
	[ -d "$D/run" ] || return 0
	if [ -S "$D/run/containerd.sock" ]; then # it may have been killed, and the file stayed
		{ ctr -a "$D/run/containerd.sock" -n k8s.io tasks ls -q 2>/dev/null || true; } | while read -r p; do
			ctr -a "$D/run/containerd.sock" -n k8s.io tasks kill -s KILL "$p" 2>/dev/null || true
		done
	fi
	end KILL kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd
	sleep 1
	end TERM containerd netns
	sleep 1
	# Pod volumes and container roots stay mounted when their kubelet is killed.
	awk -v d="$D/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | while read -r p; do umount -l "$p" || true; done
	remove_cgroups
	rm -rf "$D"
}

verb=${1:?verb}
shift
case $verb in
binary) binary ;;
helm) helm_binary ;;
restart) D=$(realpath "$1"); restart "$2" ;;
up | down)
	[ "$(id -u)" -eq 0 ] || { echo "cluster.sh: $verb needs root (network namespaces, mounts)" >&2; exit 77; }
	D=$(realpath -m "$1")
	"$verb"
	;;
exec)
	D=$(realpath "$1")
	shift
	export KUBECONFIG=$D/kubeconfig
	[ ! -d "$D/bin" ] || export PATH=$D/bin:$PATH
	exec nsenter --net="/proc/$(cat "$D/run/netns.pid")/ns/net" "$@" # so that a signal reaches the command
	;;
import) D=$(realpath "$1"); ctr -a "$D/run/containerd.sock" -n k8s.io images import "$2" ;;
*) echo "cluster.sh: unknown verb $verb" >&2; exit 64 ;;
esac
