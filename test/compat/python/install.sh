#!/usr/bin/env bash
# Makes a virtual environment with the Python clients. Leaves $cache/python.
set -euo pipefail
. "$(dirname "$0")/../cache.sh"

if ! done_once python "$here/requirements.txt"; then
	rm -rf "$cache/python"
	python3 -m venv "$cache/python"
	"$cache/python/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
	mark_done python "$here/requirements.txt"
fi
