#!/usr/bin/env bash
# Runs the commands of README.md, verbatim and in order, in a copy of the tree. The two that serve go on in the background while the next ones run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -INT -- "-$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$work"
  if [ -n "${made_data:-}" ]; then rm -rf "$data"; fi
}
trap finish EXIT
git -C "$root" ls-files -z | (cd "$root" && xargs -0 cp --parents -t "$work")
cd "$work"
data=/tmp/kraft-combined-logs # log.dirs in server.properties, as in Kafka's
[ -e "$data" ] || made_data=yes

until_answers() { # until_answers PORT
  for _ in $(seq 1 1200); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "nothing listens on $1" >&2
  return 1
}

blocks=$(mktemp -d)
awk -v dir="$blocks" '/^```sh$/ {n++; on=1; next} /^```$/ {on=0} on {print > sprintf("%s/%02d", dir, n)}' README.md
for block in "$blocks"/*; do
  echo "--- $(head -1 "$block")"
  case $(cat "$block") in
    "go run ./examples/notify"*)
      setsid bash "$block" &
      pids+=($!)
      until_answers 8080
      until_answers 9092
      ;;
    curl*)
      bash "$block" | tee answer
      grep -q '"status":"accepted"' answer
      ;;
    "go test ./..."*)
      echo "(run by CI as a step of its own)"
      ;;
    *"bote serve"*)
      for pid in "${pids[@]}"; do kill -INT -- "-$pid"; done
      wait
      pids=()
      setsid bash "$block" &
      pids+=($!)
      until_answers 9092
      ;;
    *"bote health"*)
      bash "$block" | tee answer
      grep -qx 'hello bote' answer
      ;;
    *"bote check"*)
      for pid in "${pids[@]}"; do kill -INT -- "-$pid"; done
      wait
      pids=()
      bash "$block" | tee answer
      grep -q 'all is well' answer
      ;;
    *)
      echo "README.md has a command that this script does not know: $(cat "$block")" >&2
      exit 1
      ;;
  esac
done
rm -rf "$blocks"
echo "every command of README.md ran"
