#!/usr/bin/env bash
# fresh.sh [name=value ...]: ends the broker of the last call and starts one on empty data, with the settings of
# config/server.properties, but for the pause of new groups, which Kafka does not set there, and those given. fresh.sh stop only ends it. BIN, PORT and DATA come from replay.py.
set -euo pipefail
run=$DATA.run
mkdir -p "$run"
if [ -f "$run/pid" ]; then
  pid=$(cat "$run/pid")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  rm -f "$run/pid"
fi
[ "${1:-}" = stop ] && exit 0
rm -rf "$DATA"
sed -e "s#localhost:9092#localhost:$PORT#g; s#localhost:9093#localhost:$((PORT + 1))#g" \
  -e "s#//:9092#//:$PORT#; s#//:9093#//:$((PORT + 1))#; s#^log.dirs=.*#log.dirs=$DATA#" \
  -e '/^group.initial.rebalance.delay.ms=/d' "$BIN/../config/server.properties" >"$run/server.properties"
printf '%s\n' "$@" >>"$run/server.properties"
export LOG_DIR=$run/logs
"$BIN/kafka-storage.sh" format --standalone -t "$("$BIN/kafka-storage.sh" random-uuid)" -c "$run/server.properties" >"$run/format.log" 2>&1
nohup "$BIN/kafka-server-start.sh" "$run/server.properties" >"$run/server.log" 2>&1 </dev/null &
echo $! >"$run/pid"
"$BIN/bote" health --wait 30s -b "localhost:$PORT" >/dev/null || { tail -5 "$run/server.log"; exit 1; }
