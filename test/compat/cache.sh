# Sourced by the install scripts: where things are kept, and the folder of this suite.
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
cache=${BOTE_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bote-compat}
mkdir -p "$cache"

# done_once NAME FILE..: is what NAME stands for built from these very files?
done_once() { [ "$(cat "$cache/$1.sum" 2>/dev/null)" = "$(sums "${@:2}")" ]; }

# mark_done NAME FILE..: it is now.
mark_done() { sums "${@:2}" >"$cache/$1.sum"; }

sums() { cat "$@" | cksum; }
