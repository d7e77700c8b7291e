#!/usr/bin/env bash
# test-kernels.sh [SUITE...]: the data plane on other kernels, in virtual machines: Debian 12's (6.1) and the newest that Debian has, unless suites are named
# (bookworm, trixie, sid). Every program loads, all fixtures and the maps' tests pass, and so does the demo. What was built here runs there, on this
# machine's files, read-only. Not a part of `make test`: without KVM it takes a quarter of an hour a kernel.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "error: this needs root" >&2; exit 1; }

export PATH=$PATH:/usr/sbin:/sbin
command -v qemu-system-x86_64 busybox cpio depmod >/dev/null && [ "$(command -v qemu-system-x86_64 busybox cpio depmod | wc -l)" -eq 4 ] ||
    apt-get install -qq -y --no-install-recommends qemu-system-x86 busybox-static cpio kmod
make --no-print-directory build build/spare.bpf.o
swift build --build-tests

# Not in /tmp, which each machine has for itself.
work=$(mktemp -d "$PWD/build/kernels-XXXXXX")
trap 'rm -rf "$work"' EXIT
# Copies: whoever builds meanwhile does not take them away.
cp "$(swift build --show-bin-path)/mizar-reconcilePackageTests.xctest" build/mizar-reconcile "$work/"
tests=$work/mizar-reconcilePackageTests.xctest
libraries=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/lib/swift/linux

# Unpacks the newest kernel of a suite into $1.
fetch_kernel() {
    local suite=$2 apt=("-o" "Dir::State::lists=$1/lists" "-o" "Dir::Etc::sourcelist=$1/sources" "-o" "Dir::Etc::sourceparts=-" "-o" "Dir::Cache=$1/cache")
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" >"$1/sources"
    apt-get "${apt[@]}" -qq update
    local image
    image=$(apt-cache "${apt[@]}" depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
    (cd "$1" && apt-get "${apt[@]}" -qq download "$image" && dpkg-deb -x ./*.deb kernel)
}

# Boots the kernel in $1 and runs the script $2 there; its last line says how that went.
run_kernel() {
    local version name root=$1/initrd
    version=$(basename "$(echo "$1"/kernel/boot/vmlinuz-*)" | sed 's/vmlinuz-//')
    local modules=$1/kernel/lib/modules
    [ -d "$modules" ] || modules=$1/kernel/usr/lib/modules
    mkdir -p "$root"/{bin,proc,sys,dev,host,new,ram,lib/modules}
    cp /usr/bin/busybox "$root/bin/"
    for name in sh mount mkdir insmod modprobe cp chroot poweroff; do ln -s busybox "$root/bin/$name"; done
    cp -r "$modules/$version" "$root/lib/modules/"
    rm -rf "$root/lib/modules/$version/kernel/drivers/"{gpu,media,staging,infiniband,iio,usb,scsi,ata,mmc,input,hid,hwmon,video,md,mtd,nvme,bluetooth,sound} \
        "$root/lib/modules/$version/kernel/"{sound,arch/x86/kvm} "$root/lib/modules/$version/kernel/fs/"{xfs,btrfs,ocfs2,gfs2,ceph,nfs,nfsd,f2fs}
    depmod -b "$root" "$version"
    cat >"$root/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in virtio_pci 9pnet_virtio 9p overlay veth sch_ingress cls_bpf bridge vxlan macvlan 8021q tun dummy; do modprobe $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=1048576 host /host
mount -t tmpfs ram /ram; mkdir /ram/up /ram/work
mount -t overlay -o lowerdir=/host,upperdir=/ram/up,workdir=/ram/work over /new
mkdir -p /new/lib/modules; cp -r /lib/modules/* /new/lib/modules/
for place in proc sys dev; do mount --move /$place /new/$place; done
mount -t tmpfs tmp /new/tmp; mount -t tmpfs run /new/run
mount -t bpf -o mode=0700 bpf /new/sys/fs/bpf
chroot /new /bin/bash SCRIPT >/new/dev/ttyS0 2>&1
poweroff -f
INIT
    sed -i "s|SCRIPT|$2|" "$root/init"
    chmod +x "$root/init"
    (cd "$root" && find . | cpio --quiet -o -H newc | gzip -1 >"../initrd.gz")
    local log=$1/log
    timeout 3000 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 3072 -nographic -no-reboot -kernel "$1"/kernel/boot/vmlinuz-* -initrd "$1/initrd.gz" \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap -append "console=ttyS0 quiet panic=-1 mitigations=off" </dev/null | tee "$log"
    grep -qa "^all is well on $version" "$log"
}

cat >"$work/inside.sh" <<INSIDE
cd $PWD
export PATH=\$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8 HOME=/tmp MIZAR_REQUIRE_BPF=1 LD_LIBRARY_PATH=$libraries
ip link set lo up
log=\$(mktemp)
set -e -o pipefail
echo "Linux \$(uname -r)"
$tests --testing-library swift-testing --filter 'DatapathTests|KernelStoreTests|GrowthTests|KernelStoreRowTests' >"\$log" 2>&1 || {
    grep -a '✘' "\$log" | cut -c1-300 | head -40
    tail -3 "\$log"
    exit 1
}
grep -a 'Test run with' "\$log"
TOOL=$work/mizar-reconcile scripts/demo.sh 2>&1 | tail -15
echo "all is well on \$(uname -r)"
INSIDE

failed=0
for suite in "${@:-bookworm sid}"; do
    for name in $suite; do
        mkdir "$work/$name"
        fetch_kernel "$work/$name" "$name"
        run_kernel "$work/$name" "$work/inside.sh" || { echo "error: $name's kernel" >&2; failed=1; }
    done
done
exit "$failed"
