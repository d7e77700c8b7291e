#!/usr/bin/env bash
# machines.sh TOOL UNITS FOLDER: runs the scripts FOLDER/NN-h1.sh and NN-h2.sh in their order, each on the machine of that name, and
# leaves what it prints beside it (.out). Ends at the first that fails.
#
# A machine has everything of its own that the pages touch: network, processes, bpffs, /etc, /run, /srv, the cache. Two of them are joined
# by their uplinks, eth0, with the addresses of the pages. All of it is gone with this script, however that ends: each machine's first
# process dies with its parent, and takes all others along.
set -euo pipefail

tool=$(realpath "$1") units=$(realpath "$2") folder=$(realpath "$3") here=$(realpath "$(dirname "$0")")
cd /

# start NAME: makes a machine, whose first process reaps the orphans of the others.
start() {
    setpriv --pdeathsig KILL unshare --net --mount --uts --ipc --pid --fork --kill-child --mount-proc bash -euc '
        name=$1 tool=$2 units=$3 folder=$4 here=$5
        mount --make-rprivate /
        for place in /usr/local/sbin /usr/local/lib; do mount -t tmpfs tmpfs "$place"; done
        mkdir -p /usr/local/lib/systemd/system
        cp "$units"/*.service "$units"/*.timer /usr/local/lib/systemd/system
        cp "$here/systemctl" /usr/local/sbin
        touch /usr/local/sbin/mizar-reconcile
        mount --bind "$tool" /usr/local/sbin/mizar-reconcile
        for place in /run /srv /var/cache; do mount -t tmpfs tmpfs "$place"; done
        mkdir /run/netns /run/lock /run/etc
        cp -a /etc/. /run/etc
        mount --bind /run/etc /etc
        mount -t sysfs sysfs /sys
        mount -t bpf -o mode=0700 bpf /sys/fs/bpf
        hostname "$name"
        ip link set lo up
        touch "$folder/$name.up"
        sleep infinity &
        while :; do wait; done' bash "$1" "$tool" "$units" "$folder" "$here" >"$folder/$1.log" 2>&1 &
    local parent=$!
    until [ -e "$folder/$1.up" ]; do
        kill -0 "$parent" 2>/dev/null || { cat "$folder/$1.log" >&2; exit 1; }
        sleep 0.02
    done
    machines[$1]=$(pgrep -P "$parent")
}

declare -A machines
trap 'kill -KILL ${machines[*]} 2>/dev/null || true' EXIT
start h1
start h2
inside() { nsenter --target "${machines[$1]}" --mount --net --uts --ipc --pid -- "${@:2}"; }
# Not inside: a machine's processes are not seen from another.
nsenter --target "${machines[h1]}" --net ip link add eth0 type veth peer name eth0 netns "${machines[h2]}"
inside h1 ip address add 192.0.2.11/24 dev eth0
inside h2 ip address add 192.0.2.12/24 dev eth0
for machine in h1 h2; do inside "$machine" ip link set eth0 up; done

for script in "$folder"/*-h?.sh; do
    machine=${script%.sh}
    machine=${machine##*-}
    # A block that waits for what does not come is ended.
    if ! inside "$machine" env -u MIZAR_BPFFS GIT_CONFIG_GLOBAL=/dev/null PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
        timeout 60 bash -euo pipefail "$script" </dev/null >"${script%.sh}.out" 2>&1; then
        echo "${script##*/} failed:" >&2
        cat "${script%.sh}.out" >&2
        echo "the daemon on $machine said:" >&2
        inside "$machine" cat /run/mizar-reconcile.log >&2 || true
        exit 1
    fi
done
