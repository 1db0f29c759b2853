#!/usr/bin/env bash
# Sees to it that kcat 1.7.x is on the PATH; on Debian and Ubuntu, as root, it installs it.
set -euo pipefail
. "$(dirname "$0")/../cache.sh"

if ! command -v kcat >/dev/null; then
	apt-get install -y -qq kcat >"$cache/kcat.log" 2>&1 || { cat "$cache/kcat.log" >&2; exit 1; }
fi
kcat -V | grep -q 'Version 1\.7\.' || { kcat -V >&2; exit 1; }
