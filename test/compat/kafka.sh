#!/usr/bin/env bash
# One node of Apache Kafka, the broker to compare with.
#   kafka.sh run DIR PORT [name=value..]   formats DIR if need be and runs in the foreground; takes PORT and PORT+1
# Settings given last win. The libraries are those of java/install.sh.
set -euo pipefail
. "$(dirname "$0")/cache.sh"
[ "${1:-}" = run ] && [ $# -ge 3 ] || { sed -n 2,4p "$0" >&2; exit 2; }
dir=$2 port=$3
shift 3

mkdir -p "$dir"
{
	cat <<-END
		node.id=1
		process.roles=broker,controller
		controller.quorum.voters=1@127.0.0.1:$((port + 1))
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
		controller.listener.names=CONTROLLER
		log.dirs=$dir/data
		offsets.topic.replication.factor=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		group.initial.rebalance.delay.ms=0
	END
	printf '%s\n' "$@"
} >"$dir/server.properties"

jvm=(java -Xmx400m "-Dlog4j2.configurationFile=$here/java/log4j2.properties" -cp "$cache/java/libs/*")
if [ ! -f "$dir/data/meta.properties" ]; then
	"${jvm[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$dir/server.properties" >"$dir/format.log" 2>&1
fi
exec "${jvm[@]}" kafka.Kafka "$dir/server.properties"
