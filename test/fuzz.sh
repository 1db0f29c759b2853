#!/usr/bin/env bash
# Runs every fuzz target, or those whose name matches, for a while each:
#   test/fuzz.sh TIME [REGEXP]        TIME as Go writes it: 8s, 10m
# Prints a line per target with the number of executions. A finding is kept by go
# test in the testdata/fuzz folder of its package, and the exit code is 1.
set -uo pipefail
cd "$(dirname "$0")/.."
time=${1:?usage: test/fuzz.sh TIME [REGEXP], for example test/fuzz.sh 10m Recovery}
wanted=${2:-.}
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
while IFS=: read -r file name; do
  [[ $name =~ $wanted ]] || continue
  dir=./$(dirname "${file#./}")
  if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" >"$out" 2>&1; then
    echo "ok    $dir $name $(grep -o 'execs: [0-9]*' "$out" | tail -1)"
  elif grep -q 'Failing input written\|panic\|--- FAIL' "$out" && ! grep -q '^ *context deadline exceeded$' "$out"; then
    echo "FAIL  $dir $name"
    cat "$out"
    failed=1
  else
    # The engine sometimes takes its own end of time for a failure; its words say nothing about the target.
    echo "ended $dir $name $(grep -o 'execs: [0-9]*' "$out" | tail -1): $(tail -3 "$out" | tr '\n' ' ')"
    grep -q 'build failed\|no such' "$out" && failed=1
  fi
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | sort -u)
exit $failed
