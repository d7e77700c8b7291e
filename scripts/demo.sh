#!/usr/bin/env bash
# The main job from end to end: a commit of YAML becomes traffic between hosts, and another commit changes it.
# Everything happens in network namespaces of its own. KEEP=1 leaves the lab up; NAME is the lab's name (default: demo),
# UNDERLAY bridged or routed, TOOL another program to try.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
tool=${TOOL:-$root/build/mizar-reconcile}
probe=$root/scripts/probe.py
name=${NAME:-demo}
underlay=${UNDERLAY:-bridged}
pins=/sys/fs/bpf/mizar-$name
port=8080
hosts=(h1 h2 h3)
proofs=0
started=$SECONDS

bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '  %s\n' "$*"; }
proved() { proofs=$((proofs + 1)); printf '  ✓ %s\n' "$*"; }
die() { printf '\n  ✗ %s\n' "$*" >&2; exit 1; }
shown() { printf '  $ %s\n' "$*"; "$@" | sed 's/^/    /'; }

[ "$(id -u)" -eq 0 ] || die "network namespaces and BPF need root: run it as root or with sudo"
[ -x "$tool" ] || die "build it first: make build"

work=$(mktemp -d -t mizar-demo-XXXXXX)
repo=$work/topology
had_bpffs=yes
mountpoint -q /sys/fs/bpf || had_bpffs=no

cleanup() {
    status=$?
    trap - EXIT INT TERM
    if [ "${KEEP:-0}" = 1 ] && [ -d "$repo" ]; then
        chapter "The lab stays up, as you asked"
        cat <<EOF
  $tool lab exec --name $name acme/prod/web/web-1 -- ping 10.0.2.10
  $tool lab exec --name $name --host h1 -- $tool status --host h1 --bpffs $pins/h1
  bpftool map dump pinned $pins/h1/endpoints
  edit and commit in $repo, then: $tool lab up --name $name --repo $repo
  the end: $tool lab down --name $name; rm -rf $work
EOF
        exit "$status"
    fi
    "$tool" lab down --name "$name" --quiet || status=1
    rm -rf "$work"
    # Only what we mounted, and only if nobody else uses it by now.
    if [ "$had_bpffs" = no ] && mountpoint -q /sys/fs/bpf; then umount /sys/fs/bpf 2>/dev/null || true; fi
    if [ "$status" -ne 0 ]; then printf '\n  The demo failed; the lab is removed. KEEP=1 leaves it up to look at.\n' >&2; fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

in_endpoint() { local endpoint=$1; shift; "$tool" lab exec --name "$name" "$endpoint" -- "$@"; }
on_host() { local host=$1; shift; "$tool" lab exec --name "$name" --host "$host" -- "$@"; }

# commit MESSAGE: the repository as it stands, apart from the user's settings of git.
commit() {
    GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.org \
        GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.org \
        git -C "$repo" -c init.defaultBranch=main commit -q -m "$1"
}

# serve ENDPOINT…: each answers TCP and UDP with its own name.
serve() {
    local endpoint ready
    for endpoint in "$@"; do
        # Not by in_endpoint: a function in the background is a shell of its own, which would tell of the end.
        "$tool" lab exec --name "$name" "$endpoint" -- python3 "$probe" serve "$endpoint" "$port" "$work/ready-${endpoint//\//.}" \
            "$work/seen-${endpoint//\//.}" &
        disown # lab down ends it, and the shell need not say so
    done
    for endpoint in "$@"; do
        ready=$work/ready-${endpoint//\//.}
        for _ in $(seq 200); do [ -e "$ready" ] && break; sleep 0.05; done
        [ -e "$ready" ] || die "the server in $endpoint did not start"
    done
}

# pings ENDPOINT ADDRESS: all of three come back.
pings() { in_endpoint "$1" ping -n -q -c 3 -i 0.05 -W 2 "$2" >"$work/ping" 2>&1 && grep -q '3 received' "$work/ping"; }

# reaches FROM WHAT TO ADDRESS…: ping, TCP and UDP to each address, and the right one answers.
reaches() {
    local from=$1 what=$2 to=$3 address questions=()
    shift 3
    for address in "$@"; do
        pings "$from" "$address" || { cat "$work/ping" >&2; die "$what: $from cannot ping $to at $address"; }
        questions+=("tcp:$address=$to" "udp:$address=$to")
    done
    in_endpoint "$from" python3 "$probe" ask "$port" "${questions[@]}" || die "$what: $from does not reach $to"
    proved "$what: $from ⇄ $to ($*): ping, TCP, UDP"
}

# silent FROM ADDRESS: nothing there answers anything.
silent() {
    if in_endpoint "$1" ping -n -q -c 2 -i 0.05 -W 0.7 "$2" >"$work/ping" 2>&1; then die "$1 gets an answer from $2, and must not"; fi
    grep -q ' 0 received' "$work/ping" || { cat "$work/ping" >&2; die "the ping of $2 from $1 did not run"; }
    in_endpoint "$1" python3 "$probe" ask "$port" "tcp:$2=" "udp:$2=" || die "$1 gets an answer from $2, and must not"
}

# drops HOST REASON: how many packets the host has dropped for it.
drops() {
    on_host "$1" "$tool" status --host "$1" --bpffs "$pins/$1" --format json | python3 -c '
import json, sys
reason = sys.argv[1]
def packets(value):
    if isinstance(value, dict):
        if reason in (value.get("reason"), value.get("word")):
            return value.get("packets", 0)
        if reason in value:
            found = value[reason]
            return found.get("packets", 0) if isinstance(found, dict) else found
        return sum(packets(item) for item in value.values())
    if isinstance(value, list):
        return sum(packets(item) for item in value)
    return 0
print(packets(json.load(sys.stdin)))' "$2"
}

prove_first() {
    reaches acme/prod/web/web-1 "same host" acme/prod/web/web-2 10.0.1.11 fd00:1:0:1::11
    prove_common
}

prove_common() {
    reaches acme/prod/web/web-1 "XDP host to tc host" acme/prod/web/web-3 10.0.1.12 fd00:1:0:1::12
    reaches acme/prod/web/web-3 "tc host to XDP host" acme/prod/web/web-1 10.0.1.10 fd00:1:0:1::10
    reaches acme/prod/web/web-4 "other zone" acme/prod/web/web-1 10.0.1.10 fd00:1:0:1::10
    reaches acme/prod/web/web-1 "other network" acme/prod/db/db-1 10.0.2.10 fd00:1:0:2::10
    reaches acme/prod/db/db-2 "other network" acme/prod/web/web-4 10.0.1.13 fd00:1:0:1::13
    reaches acme/prod/web/web-1 "a host itself" acme/prod/web/admin-1 10.0.1.20 fd00:1:0:1::20
    reaches acme/prod/web/admin-1 "from a host itself" acme/prod/db/db-1 10.0.2.10 fd00:1:0:2::10
    reaches globex/prod/web/app-3 "same address, other tenant" globex/prod/web/app-1 10.0.1.10
    reaches globex/prod/web/app-1 "same address, other tenant" globex/prod/web/app-2 10.0.1.12
    local gateway
    for gateway in 10.0.1.254 fd00:1:0:1::1; do
        pings acme/prod/web/web-1 "$gateway" || { cat "$work/ping" >&2; die "the gateway $gateway does not answer"; }
    done
    pings acme/prod/db/db-1 10.0.2.1 || { cat "$work/ping" >&2; die "the gateway 10.0.2.1 does not answer"; }
    proved "gateways answer ping: 10.0.1.254, fd00:1:0:1::1, 10.0.2.1"
    silent acme/prod/web/web-1 10.0.1.99
    silent globex/prod/web/app-1 10.0.1.11
    silent globex/prod/web/app-2 10.0.2.10
    silent globex/prod/web/app-1 10.0.1.20
    proved "nothing crosses: 10.0.1.99 is globex's alone, 10.0.1.11, 10.0.2.10 and the host's 10.0.1.20 are acme's"
}

chapter "1. A git repository with the topology of examples/two-tenants"
"$tool" lab down --name "$name" --quiet
mkdir "$repo"
cp -r examples/two-tenants/. "$repo"
git -c init.defaultBranch=main init -q "$repo"
git -C "$repo" add -A
commit "three hosts, two tenants"
say "$(git -C "$repo" log --oneline --shortstat | tr '\n' ' ')"
shown "$tool" validate --repo "$repo"

chapter "2. The lab: a namespace for each host and each endpoint, every host reconciled by the real code"
before=$(date +%s%N)
shown "$tool" lab up --name "$name" --underlay "$underlay" --repo "$repo"
say "in $((($(date +%s%N) - before) / 1000000)) ms"
for host in "${hosts[@]}"; do
    say "$host: $(on_host "$host" ip -o link show dev eth0 | grep -q xdp && echo 'XDP and tc on its uplink' || echo 'tc on its uplink'), $(find "$pins/$host" -type f | wc -l) pins"
done

chapter "3. Traffic"
serve acme/prod/web/web-{1,2,3,4} acme/prod/web/admin-1 acme/prod/db/db-{1,2} globex/prod/web/app-{1,2,3}
prove_first
counted=$(drops h1 spoofed-ip)
in_endpoint acme/prod/web/web-1 python3 "$probe" spoof 10.0.1.77 10.0.1.12 5
counted=$(($(drops h1 spoofed-ip) - counted))
[ "$counted" -ge 5 ] || die "5 packets with a spoofed source were sent, and h1 counts $counted dropped ones more"
if grep -qx 10.0.1.77 "$work/seen-acme.prod.web.web-3"; then die "a packet with a spoofed source arrived"; fi
proved "a spoofed source is dropped at the port and counted: spoofed-ip +$counted on h1"

chapter "4. A change: web-5 is added, web-2 moves from h1 to h3, the network acme/prod/cache is added"
cp -r examples/two-tenants-change/. "$repo"
git -C "$repo" add -A
commit "web-5, web-2 to h3, a cache network"
say "$(git -C "$repo" log -1 --oneline --shortstat | tr '\n' ' ')"
shown "$tool" plan --repo "$repo" --base HEAD~1 --head HEAD
for host in "${hosts[@]}"; do
    say ""
    say "on $host, against its live maps:"
    on_host "$host" "$tool" plan --repo "$repo" --host "$host" --bpffs "$pins/$host" >"$work/plan-$host"
    sed 's/^/    /' "$work/plan-$host"
    grep -q '^Plan: ' "$work/plan-$host" || die "$host plans no change"
done
# Who has nothing to do with the change must not notice it.
# Again not by in_endpoint: the signal is for ping.
"$tool" lab exec --name "$name" acme/prod/web/web-1 -- ping -n -q -i 0.02 10.0.2.10 >"$work/ping-through" 2>&1 &
through=$!
say ""
shown "$tool" lab up --name "$name" --underlay "$underlay" --repo "$repo"
kill -INT "$through"
wait "$through" || true
grep -q ' 0% packet loss' "$work/ping-through" || { cat "$work/ping-through" >&2; die "the change lost packets between endpoints that it does not touch"; }
proved "no packet lost meanwhile: $(sed -n 's/^\([0-9]* packets transmitted, [0-9]* received\).*/\1/p' "$work/ping-through") from web-1 to db-1"
serve acme/prod/web/web-5 acme/prod/cache/cache-1
reaches acme/prod/web/web-1 "moved endpoint" acme/prod/web/web-2 10.0.1.11 fd00:1:0:1::11
reaches acme/prod/web/web-2 "moved endpoint" acme/prod/web/web-4 10.0.1.13 fd00:1:0:1::13
reaches acme/prod/web/web-4 "new endpoint" acme/prod/web/web-5 10.0.1.14 fd00:1:0:1::14
reaches acme/prod/web/web-1 "new network" acme/prod/cache/cache-1 10.0.3.10 fd00:1:0:3::10
reaches acme/prod/cache/cache-1 "new network" acme/prod/db/db-1 10.0.2.10 fd00:1:0:2::10
prove_common
for host in "${hosts[@]}"; do
    on_host "$host" "$tool" apply --repo "$repo" --host "$host" --bpffs "$pins/$host" >"$work/apply-$host"
    grep -q '^No changes\.' "$work/apply-$host" || { cat "$work/apply-$host" >&2; die "a second apply on $host changes something"; }
    proved "apply once more on $host: $(grep -m 1 '^No changes\.' "$work/apply-$host")"
done

chapter "5. Summary"
say "$proofs proofs, none failed, in $((SECONDS - started)) s"
say "two commits of $(find "$repo" -name '*.yaml' | wc -l) YAML files became $(find "$pins" -type f | wc -l) pinned maps and programs on ${#hosts[@]} hosts,"
say "and packets between $(find /run/netns -name "mizar-$name.ep.*" | wc -l) endpoints of two tenants with the same addresses, and a host itself"
