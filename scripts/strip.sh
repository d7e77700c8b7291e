#!/usr/bin/env bash
# strip.sh FROM TO: a stripped copy, made only where FROM is newer.
set -euo pipefail
from=$1 to=$2
[ -e "$to" ] && [ ! "$from" -nt "$to" ] && exit 0
mkdir -p "$(dirname "$to")"
strip -o "$to.new" "$from"
mv "$to.new" "$to"
