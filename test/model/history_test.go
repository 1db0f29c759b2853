package model_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// settings are the settings of a history's broker and clients.
type settings struct {
	flush         commitlog.FlushMode
	segmentBytes  int64
	indexInterval int64
	checkpoint    time.Duration
	retention     time.Duration
	slowSync      time.Duration // how long a sync takes
	codec         record.Codec
	partitions    int32
	hurry         uint32 // one in so many answers is awaited at once
}

func (s settings) String() string {
	return fmt.Sprintf("log.flush=%s segment.bytes=%d index.interval.bytes=%d checkpoints every %v, retention every %v, a sync takes %v, compression %v, %d partitions, one of %d answers awaited",
		s.durability(), s.segmentBytes, s.indexInterval, s.checkpoint, s.retention, s.slowSync, s.codec, s.partitions, s.hurry)
}

// durability is the value of log.flush.
func (s settings) durability() string {
	return []string{config.FlushCommit, config.FlushInterval, config.FlushOS}[s.flush]
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// kind says what a step does.
type kind int

const (
	produce kind = iota
	storm
	await
	fetch
	check
	commit
	session
	createTopic
	deleteTopic
	alter
	deleteRecords
	advance
	restart
	crash
	fault
	heal
)

var kindNames = map[kind]string{
	produce: "produce", storm: "storm", await: "await", fetch: "fetch", check: "check", commit: "commit", session: "session", createTopic: "create", deleteTopic: "delete",
	alter: "alter", deleteRecords: "delete records", advance: "advance", restart: "restart", crash: "crash", fault: "fault", heal: "heal",
}

// weights say how often steps of a kind come.
var weights = map[kind]int{
	produce: 40, storm: 4, await: 6, fetch: 6, check: 3, commit: 5, session: 1, createTopic: 2, deleteTopic: 1, alter: 1, deleteRecords: 2, advance: 8, restart: 2,
	crash: 5, fault: 2, heal: 1,
}

// step is one thing that is done to the broker. Its numbers are taken modulo what
// there is, so a step makes sense in any place.
type step struct {
	kind       kind
	a, b, c, d uint32
}

func (s step) String() string {
	return fmt.Sprintf("%s(%d,%d,%d,%d)", kindNames[s.kind], s.a, s.b, s.c, s.d)
}

// history is settings and steps; a seed determines both.
type history struct {
	seed     uint64
	settings settings
	steps    []step
}

func (h history) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "seed %d: %v\n", h.seed, h.settings)
	for i, s := range h.steps {
		fmt.Fprintf(&out, "%4d %v\n", i, s)
	}
	return out.String()
}

const steps = 90

func newHistory(seed uint64) history {
	rng := rand.New(rand.NewPCG(seed, 0))
	h := history{seed: seed, settings: settings{
		flush:         pick(rng, commitlog.FlushCommit, commitlog.FlushCommit, commitlog.FlushCommit, commitlog.FlushOS, commitlog.FlushInterval),
		segmentBytes:  pick[int64](rng, 1<<10, 3<<10, 1<<20),
		indexInterval: pick[int64](rng, 0, 200, 4096),
		checkpoint:    pick(rng, 50*time.Millisecond, time.Second, time.Minute),
		retention:     pick(rng, time.Second, time.Minute),
		slowSync:      pick(rng, 0, 0, 3*time.Millisecond, 50*time.Millisecond),
		codec:         pick(rng, record.None, record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd),
		partitions:    pick[int32](rng, 1, 2, 3),
		hurry:         pick[uint32](rng, 1, 2, 10),
	}}
	var bag []kind
	for k := produce; k <= heal; k++ {
		for range weights[k] {
			bag = append(bag, k)
		}
	}
	for range steps {
		h.steps = append(h.steps, step{pick(rng, bag...), rng.Uint32(), rng.Uint32(), rng.Uint32(), rng.Uint32()})
	}
	return h
}

// without returns the history without some steps.
func (h history) without(from, to int) history {
	h.steps = append(append([]step{}, h.steps[:from]...), h.steps[to:]...)
	return h
}

// shrink looks for a shorter history that also fails, until time is up.
func shrink(h history, play func(history) error, until time.Time) history {
	for size := len(h.steps) / 2; size > 0; {
		shorter := false
		for from := 0; from < len(h.steps) && time.Now().Before(until); {
			if try := h.without(from, min(from+size, len(h.steps))); fails(try, play) {
				h, shorter = try, true
				continue
			}
			from += size
		}
		if !shorter || size > 1 {
			size /= 2
		}
		if !time.Now().Before(until) {
			break
		}
	}
	return h
}

// fails plays a history a few times, since goroutines run in any order.
func fails(h history, play func(history) error) bool {
	for range 3 {
		if play(h) != nil {
			return true
		}
	}
	return false
}
