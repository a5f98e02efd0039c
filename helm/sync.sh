#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes what must not differ from its source: run it after a change in crds/, in the chart or of the version.
#
#   crds/                 -> helm/migration/files/crds/, deploy/crds.yaml, docs/migration-task.md
#   Makefile's VERSION    -> helm/migration/Chart.yaml, deploy/addon.yaml
#   the chart             -> deploy/controller.yaml, deploy/template.yaml, deploy/monitoring.yaml, README.md's table of values
#
#   sync.sh [TREE]        TREE: write there instead of this tree, which must have the same folders (the test that compares)
#
# Needs python3-yaml and Helm: $HELM, or the one that test/cluster/cluster.sh helm builds.
set -euo pipefail

TOP=$(cd "$(dirname "$0")/.." && pwd)
TREE=$(realpath "${1:-$TOP}")
HELM=${HELM:-$("$TOP/test/cluster/cluster.sh" helm)}
VERSION=$(sed -n 's/^VERSION := //p' "$TOP/Makefile")
CHART=$TREE/helm/migration
HEADER="# SPDX-License-Identifier: Apache-2.0
# Made by helm/sync.sh: change its source instead."

# The objects of some templates, as plain manifests: nothing in them speaks of Helm.
render() { # OUTPUT helm-arguments...
    local output=$1
    shift
    {
        echo "$HEADER"
        "$HELM" template kubeferry "$CHART" --namespace kubeferry-system --set fullnameOverride=kubeferry "$@" |
            sed -E -e '/^# Source: /d' -e '/^ *helm\.sh\//d' -e '/app.kubernetes.io\/managed-by: Helm/d'
    } >"$output"
}

mkdir -p "$CHART/files/crds"
rm -f "$CHART"/files/crds/*
cp "$TOP"/crds/*.yaml "$CHART/files/crds/"
{
    echo "$HEADER"
    for file in "$TOP"/crds/*.yaml; do
        echo ---
        cat "$file"
    done
} >"$TREE/deploy/crds.yaml"
/usr/bin/python3 "$TOP/helm/crd_reference.py" "$TOP"/crds/datamigration*.yaml "$TOP"/crds/common*.yaml >"$TREE/docs/migration-task.md"

sed -i -E "s/^version: .*/version: $VERSION/; s/^appVersion: .*/appVersion: \"$VERSION\"/" "$CHART/Chart.yaml"
sed -i -E "s/^(    addon.kubeblocks.io\/version): .*/\1: $VERSION/; s/^(      version): .*/\1: $VERSION/" "$TREE/deploy/addon.yaml"
sed -i -e '/^<!-- values -->$/,/^<!-- end of values -->$/{//!d}' "$CHART/README.md"
/usr/bin/python3 "$TOP/helm/values_table.py" "$CHART/values.yaml" | sed -i -e '/^<!-- values -->$/r /dev/stdin' "$CHART/README.md"

render "$TREE/deploy/controller.yaml" -s templates/rbac.yaml -s templates/deployment.yaml -s templates/service.yaml \
    -s templates/pdb.yaml -s templates/networkpolicy.yaml
render "$TREE/deploy/template.yaml" -s templates/template.yaml
sed -i '/^  annotations:$/d' "$TREE/deploy/template.yaml" # which held nothing but the hook
render "$TREE/deploy/monitoring.yaml" -s templates/monitoring.yaml --set metrics.serviceMonitor.enabled=true \
    --set metrics.podMonitor.enabled=true --set metrics.prometheusRule.enabled=true
