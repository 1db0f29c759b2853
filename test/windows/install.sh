#!/usr/bin/env bash
# Installs what runs Windows programs here (Wine, and the compiler for the one library that Wine lacks), and prepares a Wine
# prefix: install.sh PREFIX. Needs a Debian or Ubuntu machine and root.
set -euo pipefail
prefix=${1:?where the Wine prefix shall be}
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v wine >/dev/null && ! [ -x /usr/lib/wine/wine64 ] || ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends wine wine64 gcc-mingw-w64-x86-64
fi
system=$prefix/drive_c/windows/system32
mkdir -p "$system"
x86_64-w64-mingw32-gcc -shared -O2 -o "$system/bcryptprimitives.dll" "$here/wine/prng.c" -ladvapi32
