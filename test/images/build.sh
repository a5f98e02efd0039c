#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the images of deploy/Dockerfile without a container engine and without any image registry, for the test cluster.
#
#   build.sh        prints a directory that holds controller.tar, engine.tar (docker-archives) and pause.tar
#
# The base image, debian:SUITE-slim, is made here from the packages of Debian's mirror (debootstrap) under the same name.
# Everything is kept in the cache: the layers of packages, and the archives of the last few states of the sources.
# Where the machine's apt has a mirror or a proxy, the builds use it; the images keep none of it.
# Needs root, and the packages of `test/install.sh images`.
set -euo pipefail

SUITE=trixie
KEEP_STATES=10 # archives of so many states of the sources stay
TOP=$(cd "$(dirname "$0")/../.." && pwd)
CACHE=${KUBEFERRY_CACHE:-/var/cache/kubeferry}
VERSION=$(sed -n 's/^VERSION := //p' "$TOP/Makefile")
BASE=docker.io/library/debian:$SUITE-slim
PREFIX=docker.io/kubeferry/kubeferry

state() {
    cd "$TOP"
    find Makefile .dockerignore common controller engine deploy/Dockerfile test/images -type f ! -name '*.md' ! -path '*/__pycache__/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

# overlay is fast; vfs, which copies every layer, works on every file system.
storage_driver() {
    if buildah --root "$CACHE/images/overlay" --runroot "$CACHE/images/run-overlay" --storage-driver overlay info >/dev/null 2>&1; then
        echo overlay
    else
        echo vfs
    fi
}

run_buildah() {
    buildah --root "$CACHE/images/$DRIVER" --runroot "$CACHE/images/run-$DRIVER" --storage-driver "$DRIVER" "$@"
}

mirror() {
    local found
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | grep -m 1 -E '/debian/?$' || true)
    echo "${found:-http://deb.debian.org/debian}"
}

# The three secrets of the Dockerfile, from what this machine's apt is told.
write_secrets() { # DIRECTORY
    echo "deb $(mirror) $SUITE main" >"$1/sources.list"
    cat /etc/ssl/certs/ca-certificates.crt >"$1/ca.crt" 2>/dev/null || : >"$1/ca.crt"
    {
        apt-config dump --format '%F "%v";%n' | grep -E '^Acquire::(https?::.*[Pp]roxy|https?::Verify|Check-)' || true
        echo 'Dir::Etc::SourceList "/run/secrets/sources.list";'
        echo 'Dir::Etc::SourceParts "-";'
        echo 'Acquire::https::CAInfo "/run/secrets/ca.crt";'
        echo 'Acquire::Retries "4";'
    } >"$1/apt.conf"
}

make_base() { # DIRECTORY for the files
    local root=$1/base container proxy=''
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    http_proxy=${http_proxy:-$proxy} debootstrap --variant=minbase "$SUITE" "$root" "$(mirror)"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,locale,info}/* \
        "$root/etc/resolv.conf" "$root/etc/hostname"
    echo "deb http://deb.debian.org/debian $SUITE main" >"$root/etc/apt/sources.list"
    container=$(run_buildah from scratch)
    run_buildah add -q "$container" "$root" / >/dev/null
    run_buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    run_buildah commit -q "$container" "$BASE"
    run_buildah rm "$container"
    rm -rf "$root"
}

build() { # WORK TARGET TAG
    run_buildah build --layers --pull=never --isolation chroot --target "$2" -t "$3" --build-arg SUITE=$SUITE --build-arg "VERSION=$VERSION" \
        --secret "id=apt.conf,src=$1/apt.conf" --secret "id=sources.list,src=$1/sources.list" --secret "id=ca.crt,src=$1/ca.crt" \
        -f "$TOP/deploy/Dockerfile" "$TOP"
}

build_pause() { # WORK
    mkdir "$1/pause"
    cc -O2 -static -o "$1/pause/pause" "$TOP/test/images/pause.c"
    printf 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n' >"$1/pause/Dockerfile"
    run_buildah build -t kubeferry.test/pause:1 "$1/pause"
}

export_image() { # IMAGE FILE
    run_buildah push "$1" "docker-archive:$2:$1"
}

build_all() { # INTO
    local work
    rm -rf "$CACHE/images/work-$DRIVER".* # what a killed run left
    work=$(mktemp -d "$CACHE/images/work-$DRIVER.XXXXXX")
    # shellcheck disable=SC2064 # now, not later
    trap "rm -rf '$work'" EXIT
    write_secrets "$work"
    run_buildah rm --all >/dev/null
    run_buildah inspect --type image "$BASE" >/dev/null 2>&1 || make_base "$work"
    # These two are tagged so that their layers, all packages, outlive the pruning.
    build "$work" tools kubeferry.test/tools
    build "$work" client kubeferry.test/client
    build "$work" controller "$PREFIX-controller:$VERSION"
    build "$work" engine "$PREFIX-engine:$VERSION"
    build_pause "$work"
    mkdir "$work/out"
    export_image "$PREFIX-controller:$VERSION" "$work/out/controller.tar"
    export_image "$PREFIX-engine:$VERSION" "$work/out/engine.tar"
    export_image kubeferry.test/pause:1 "$work/out/pause.tar"
    run_buildah rmi --prune
    rm -rf "$1"
    mv "$work/out" "$1"
}

main() {
    local into
    into=$CACHE/images/$(state)
    mkdir -p "$CACHE/images"
    if [ ! -d "$into" ]; then
        DRIVER=$(storage_driver)
        exec 9>"$CACHE/images/.lock-$DRIVER"
        flock 9
        if [ ! -d "$into" ]; then # nor did somebody else make it meanwhile
            echo "build.sh: building the images; the first time takes some minutes" >&2
            build_all "$into" >&2 9>&-
            find "$CACHE/images" -mindepth 1 -maxdepth 1 -regex '.*/[0-9a-f]+' -printf '%T@ %p\n' | sort -rn |
                tail -n +$((KEEP_STATES + 1)) | cut -d' ' -f2- | xargs -r rm -rf
        fi
    fi
    touch "$into"
    echo "$into"
}

[ "$(id -u)" -eq 0 ] || {
    echo "build.sh: needs root (chroots, mounts)" >&2
    exit 77
}
main
