#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# All of test/e2e on one cluster: first what wants it without the operator, then the operator, several tests at a time;
# what hits the things that all share (marker alone) comes by itself. Further arguments are pytest's (-k, -x).
# KUBEFERRY_E2E_CLUSTER=DIR: a cluster that runs already, and stays.
set -uo pipefail

[ "$(id -u)" -eq 0 ] || exec sudo -E env "PATH=$PATH" "$0" "$@" # network namespaces, mounts
cd "$(dirname "$0")/../.." || exit 1
AT_ONCE=${KUBEFERRY_E2E_AT_ONCE:-4} # most tests wait, so four at a time suit two cores

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

own=
if [ -z "${KUBEFERRY_E2E_CLUSTER:-}" ]; then
    own=yes
    parent=$(mktemp -d /tmp/kubeferry-e2e.XXXXXX)
    export KUBEFERRY_E2E_CLUSTER=$parent/cluster
    trap 'test/cluster/cluster.sh down "$KUBEFERRY_E2E_CLUSTER"; rm -rf "$parent"' EXIT
fi
KUBEFERRY_IMAGES=$(test/images/build.sh) || fail "the images could not be built"
export KUBEFERRY_IMAGES
test/cluster/cluster.sh up "$KUBEFERRY_E2E_CLUSTER" || fail "the cluster did not start"

worst=0
phase() { # marker-expression options...
    local code=0
    /usr/bin/python3 -m pytest -q -m "$@" test/e2e || code=$?
    [ $code -eq 0 ] || [ $code -eq 5 ] || worst=$code # 5: none is of that kind
}

phase "not operator and not alone" -n "$AT_ONCE" "$@"
phase "not operator and alone" "$@"
if [ "$own" ]; then # what a thousand tasks and broken controllers have left would keep the operator busy
    test/cluster/cluster.sh down "$KUBEFERRY_E2E_CLUSTER"
    test/cluster/cluster.sh up "$KUBEFERRY_E2E_CLUSTER" || fail "the cluster did not start again"
fi
phase "operator and not alone" -n "$AT_ONCE" "$@"
phase "operator and alone" "$@"
exit $worst
