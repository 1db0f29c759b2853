#!/usr/bin/env bash
# Installs KafkaJS. Leaves $cache/node/node_modules.
set -euo pipefail
. "$(dirname "$0")/../cache.sh"

if ! done_once node "$here/package.json"; then
	rm -rf "$cache/node"
	mkdir -p "$cache/node"
	cp "$here/package.json" "$cache/node/"
	npm install --prefix "$cache/node" --silent --no-audit --no-fund
	mark_done node "$here/package.json"
fi
