#!/usr/bin/env bash
# Installs what building, testing and the demo need on Debian 12 or 13. Does nothing where all of it is there.
set -euo pipefail

packages=(
    # to build
    libbpf-dev libelf-dev zlib1g-dev libyaml-dev libgit2-dev libssl-dev clang pkg-config git make binutils
    # to run the lab and its proofs
    iproute2 util-linux iputils-ping iputils-tracepath traceroute python3
    # to fetch by https
    ca-certificates
    # to test and to look; dropbear-bin is an ssh server without the service of one
    bpftool ethtool tcpdump strace nftables iperf3 openssh-client dropbear-bin openssl procps systemd python3-yaml python3-jsonschema clang-format jq
    # to get Swift, and what its toolchain runs on: libcurl4 by way of curl, since Debian 13 calls it libcurl4t64
    curl gpg libncurses6 libsqlite3-0 libxml2 tzdata
)

missing=()
for package in "${packages[@]}"; do
    # pkgconf provides pkg-config, so ask for what is provided, too.
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "error: this needs root: apt-get install ${missing[*]}" >&2; exit 1; }
        sudo=(sudo)
    fi
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    export DEBIAN_FRONTEND=noninteractive
    if ! { "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -qy --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -20 "$log" >&2
        echo "error: apt-get could not install ${missing[*]}" >&2
        exit 1
    fi
fi

# Swift is not in Debian.
wanted=6.1
if ! command -v swift >/dev/null; then
    echo "error: Swift is missing: $wanted or later is needed" >&2
elif ! version=$(swift --version 2>&1); then
    printf '%s\nerror: Swift is there and does not start: %s\n' "$version" "$(command -v swift)" >&2
    exit 1
else
    found=$(sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' <<<"$version" | head -1)
    if [ "$(printf '%s\n' "$wanted" "${found:-0}" | sort -V | head -1)" = "$wanted" ]; then exit 0; fi
    echo "error: Swift ${found:-of an unknown version} is too old: $wanted or later is needed" >&2
fi
cat >&2 <<'EOF'

To install it (https://www.swift.org/install/linux/swiftly):

    curl -O https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz
    tar zxf swiftly-$(uname -m).tar.gz
    ./swiftly init --quiet-shell-followup
    . "${SWIFTLY_HOME_DIR:-$HOME/.local/share/swiftly}/env.sh"
    hash -r

Where swiftly does not know Debian 13 yet, `./swiftly init --platform debian12` brings a toolchain that runs there. It may name
packages of Debian for lldb and the like: nothing here needs them. Then run this again.
EOF
exit 1
