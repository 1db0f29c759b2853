#!/usr/bin/env bash
# Compiles Witness.java against the clients that test/compat/java fetches. Leaves
# $cache/java/crash-classes.
set -euo pipefail
. "$(dirname "$0")/../../compat/cache.sh"

"$here/../../compat/java/install.sh"
if ! done_once java-crash "$here/../../compat/java/pom.xml" "$here"/*.java; then
	rm -rf "$cache/java/crash-classes"
	javac -J-Xmx400m --release 17 -d "$cache/java/crash-classes" -cp "$cache/java/libs/*" "$here"/*.java
	mark_done java-crash "$here/../../compat/java/pom.xml" "$here"/*.java
fi
