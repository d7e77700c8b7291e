#!/usr/bin/env bash
# test.sh [--filter NAME]: everything that is tested, on a real kernel: a test that is skipped for want of privileges fails. Closes with what it ran.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
    echo "error: the tests of the kernel's part need root: sudo --preserve-env=PATH make test" >&2
    exit 1
fi
if ! mountpoint -q /sys/fs/bpf; then mount -t bpf -o mode=0700 bpf /sys/fs/bpf; fi

# Formatters of other versions have other opinions: the rules are those of the versions that are named here.
if clang-format --version | grep -q 'version 14\.' && swift --version 2>&1 | grep -q 'Swift version 6\.3'; then
    make --no-print-directory check
else
    echo "formatting is not checked: that takes clang-format 14 and Swift 6.3"
fi

export MIZAR_REQUIRE_BPF=1
started=$SECONDS
make --no-print-directory build/mizar.bpf.o build/next.bpf.o build/spare.bpf.o
swift build --build-tests
built=$((SECONDS - started))
log=$(mktemp)
trap 'rm -f "$log"' EXIT
started=$SECONDS
status=0
swift test --skip-build "$@" 2>&1 | tee "$log" || status=$?

echo
# The failures once more, where they are seen.
grep -aE '^✘ Test .*(recorded an issue|failed after)' "$log" || true
echo "built in ${built} s, tested in $((SECONDS - started)) s"
grep -aE '^(✔|✘) Test run with' "$log" | tail -1 || echo "error: the tests did not run to their end"
exit "$status"
