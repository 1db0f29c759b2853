#!/usr/bin/env bash
# Fetches Apache Kafka's Java clients and tools and compiles Compat.java against them.
# Leaves $cache/java/libs and $cache/java/classes.
set -euo pipefail
. "$(dirname "$0")/../cache.sh"

if ! done_once java-libs "$here/pom.xml"; then
	rm -rf "$cache/java/libs"
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/java/libs"
	mark_done java-libs "$here/pom.xml"
fi
if ! done_once java-classes "$here/pom.xml" "$here"/*.java; then
	rm -rf "$cache/java/classes"
	javac -J-Xmx400m --release 17 -d "$cache/java/classes" -cp "$cache/java/libs/*" "$here"/*.java
	mark_done java-classes "$here/pom.xml" "$here"/*.java
fi
