// Package model_test plays random histories against a broker and compares what its
// clients see with what they were promised. No acknowledged record is lost or there
// twice, none is there that was never sent, and offsets never go back: not through
// restarts, kills, power cuts and disks that fail.
//
// A history is made from a seed. It is played inside a bubble of testing/synctest,
// on a file system in memory that forgets what was not synced, by clients that
// speak Kafka's protocol over pipes. A history that fails is shortened. Repeat it
// with
//
//	go test ./test/model -run TestModel -seed N
//
// BOTE_MODEL=10m plays new histories for that long.
package model_test

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "play the history of this seed only")
	firstFlag = flag.Uint64("first", 1, "the first seed to play")
	countFlag = flag.Int("histories", 0, "how many histories to play; 0 is as many as there is time for")
)

// playIn plays a history in a bubble.
func playIn(t *testing.T) func(history) error {
	return func(h history) (err error) {
		synctest.Test(t, func(*testing.T) { err = play(h) })
		return err
	}
}

func TestModel(t *testing.T) {
	limit, first := 2*time.Second, *firstFlag
	if text := os.Getenv("BOTE_MODEL"); text != "" && *countFlag == 0 {
		var err error
		limit, err = time.ParseDuration(text)
		require.NoError(t, err)
		if first == 1 {
			first = uint64(time.Now().UnixNano())
		}
	}
	if *seedFlag != 0 {
		tell(t, newHistory(*seedFlag))
		return
	}
	until := time.Now().Add(limit)
	n := 0
	for seed := first; ; seed++ {
		if *countFlag > 0 && n == *countFlag || *countFlag == 0 && !time.Now().Before(until) {
			break
		}
		n++
		tell(t, newHistory(seed))
	}
	t.Logf("%d histories, seeds %d to %d", n, first, first+uint64(n)-1)
}

// tell plays a history. If it fails, tell reports how, and how a shorter one fails.
func tell(t *testing.T, h history) {
	t.Helper()
	run := playIn(t)
	err := run(h)
	if err == nil {
		return
	}
	short := h
	if os.Getenv("BOTE_SHRINK") != "0" {
		short = shrink(h, run, time.Now().Add(20*time.Second))
	}
	t.Fatalf("seed %d: %v\n\nA shorter history fails with: %v\n%v", h.seed, err, run(short), short)
}
