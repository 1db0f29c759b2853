// Package crash harms the real broker, as a process, while real clients write and
// read, and then judges what they were told. The faults are kill -9, a stopped
// process, no more open files, a full disk, a read-only disk, a disk that fails, and
// a power cut.
//
// account_test.go is the judge, a pure function. Nothing acknowledged may be lost,
// moved or reordered. Nothing of an idempotent producer may be there twice. No
// consumer of a group may skip a record or see one that is not there. No committed
// offset may go back. What a crash at a single write can do to a log is not tested
// here: storage/commitlog tests it at every point.
//
// BOTE_CRASH_TIME is how long the test runs (by default some seconds, with
// BOTE_COMPAT=1 three minutes). BOTE_CRASH_SEED determines faults and pauses.
// BOTE_CRASH_ROUNDS is the least number of kills. BOTE_COMPAT=1 adds the faults of
// disks and the Java client.
package crash_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// plan is what the environment variables ask for.
type plan struct {
	limit time.Duration
	seed  uint64
	kills int
}

func newPlan(t *testing.T) plan {
	t.Helper()
	p := plan{limit: 6 * time.Second, seed: rand.Uint64N(1_000_000), kills: 3}
	if os.Getenv("BOTE_COMPAT") != "" {
		p.limit = 3 * time.Minute
	}
	var err error
	if text := os.Getenv("BOTE_CRASH_TIME"); text != "" {
		p.limit, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv("BOTE_CRASH_SEED"); text != "" {
		p.seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	if text := os.Getenv("BOTE_CRASH_ROUNDS"); text != "" {
		p.kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	return p
}

// longestEpisode bounds the memory and disk space that one history needs.
const longestEpisode = 3 * time.Minute

// TestFaults runs an episode of each fault, and then episodes that mix all of them
// by the seed, until the time is up.
func TestFaults(t *testing.T) {
	p, began := newPlan(t), time.Now()
	t.Logf("BOTE_CRASH_SEED=%d", p.seed)
	all, sum := faults(), &summary{rows: map[string]*row{}}
	possible := slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return f.reason != "" })
	share := min(p.limit/time.Duration(len(possible)+1), time.Minute)
	seed := p.seed
	episode := func(name string, faults []fault, least int, limit time.Duration) (goOn bool) {
		seed++
		ok := t.Run(name, func(t *testing.T) {
			goOn = true // unless only others were asked for
			if faults[0].reason != "" {
				t.Skip(faults[0].reason)
			}
			var dk *disk
			if slices.ContainsFunc(faults, func(f fault) bool { return f.disk }) {
				dk = newDisk(t)
			}
			l := open(t, seed, p.limit > 5*time.Minute, dk)
			r := l.episode(faults, least, limit)
			sum.add(r)
			t.Logf("%d rounds, %s", len(r.rounds), r.verdict)
			if len(r.verdict.violations) > 0 {
				t.Errorf("promises broken; BOTE_CRASH_SEED=%d, episode %d", p.seed, seed-p.seed)
			}
		})
		return goOn && ok
	}
	for _, f := range all {
		least := 1
		if f.name == "kill -9" {
			least = p.kills
		}
		episode(f.name, []fault{f}, least, share)
	}
	for i := 1; ; i++ {
		left := p.limit - time.Since(began)
		if i > 1 && left < share/2 || !episode(fmt.Sprintf("mixed-%d", i), possible, 2, min(left, longestEpisode)) {
			break
		}
	}
	t.Logf("BOTE_CRASH_SEED=%d, %v\n%s", p.seed, time.Since(began).Round(time.Second), sum)
}

// row is the results of one kind of fault.
type row struct {
	rounds, acked, lost int
	gap, all            time.Duration
}

// summary is the table of a run.
type summary struct {
	rows                               map[string]*row
	refused, retries, duplicates, rest int
}

// add counts an episode. What was acknowledged before a fault, and what of it was
// lost, counts for that fault; what comes after the last one counts for the last
// kill.
func (s *summary) add(r result) {
	at := func(name string) *row {
		if s.rows[name] == nil {
			s.rows[name] = &row{}
		}
		return s.rows[name]
	}
	sum := 0
	for i, x := range r.rounds {
		w := at(x.fault)
		w.rounds++
		w.acked += r.acked[i]
		w.gap, w.all = max(w.gap, x.gap), max(w.all, x.all)
		sum += r.acked[i]
	}
	last := at("the last kill")
	last.rounds++
	last.acked += r.verdict.acked - sum
	for _, v := range r.verdict.violations {
		switch {
		case v.kind == lost && v.round < len(r.rounds):
			at(r.rounds[v.round].fault).lost++
		case v.kind == lost:
			last.lost++
		case v.kind == duplicated:
			s.duplicates++
		default:
			s.rest++
		}
	}
	s.refused += r.refused
	s.retries += r.verdict.retries
}

func (s *summary) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\trounds\tacknowledged\tlost\tnext acknowledgement\tof every producer\t")
	var total row
	line := func(name string, r *row) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%v\t%v\t\n", name, r.rounds, r.acked, r.lost, r.gap.Round(time.Millisecond), r.all.Round(time.Millisecond))
	}
	for _, name := range slices.Sorted(maps.Keys(s.rows)) {
		r := s.rows[name]
		line(name, r)
		total.rounds += r.rounds
		total.acked += r.acked
		total.lost += r.lost
		total.gap, total.all = max(total.gap, r.gap), max(total.all, r.all)
	}
	line("all", &total)
	_ = w.Flush() // to memory
	fmt.Fprintf(&b, "duplicates of idempotent producers %d, other violations %d; allowed retries of plain producers %d; refused with KAFKA_STORAGE_ERROR %d",
		s.duplicates, s.rest, s.retries, s.refused)
	return b.String()
}
