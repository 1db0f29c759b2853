#!/usr/bin/env bash
# Fetches Spring Boot and spring-kafka and compiles the service against them.
# Leaves $cache/spring/libs and $cache/spring/classes.
set -euo pipefail
. "$(dirname "$0")/../cache.sh"

if ! done_once spring-libs "$here/pom.xml"; then
	rm -rf "$cache/spring/libs"
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/spring/libs"
	mark_done spring-libs "$here/pom.xml"
fi
if ! done_once spring-classes "$here/pom.xml" "$here"/src/*.java; then
	rm -rf "$cache/spring/classes"
	javac -J-Xmx400m --release 17 -parameters -d "$cache/spring/classes" -cp "$cache/spring/libs/*" "$here"/src/*.java
	mark_done spring-classes "$here/pom.xml" "$here"/src/*.java
fi
