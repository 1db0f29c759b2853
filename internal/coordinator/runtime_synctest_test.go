package coordinator_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/coordinator/coordinatortest"
	"github.com/botehq/bote/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sum is a machine that adds numbers.
type sum struct {
	*coordinator.Shard
	total    int
	loaded   bool
	unloaded error
}

func newSum(s *coordinator.Shard) *sum { return &sum{Shard: s} }

func (s *sum) Apply(r coordinator.Record) error {
	n, err := strconv.Atoi(string(r.Value))
	s.total += n
	return err
}

func (s *sum) EndTransaction(int64, bool) {}
func (s *sum) Loaded()                    { s.loaded = true }
func (s *sum) Unloaded(err error)         { s.unloaded = err }

// add appends a number. done is that of Append.
func (s *sum) add(n int, done func(error)) error {
	return s.Append([]record.KeyValue{{Key: []byte("k"), Value: []byte(strconv.Itoa(n))}}, done)
}

// runtime starts a runtime of sums on logs.
func runtime(t *testing.T, logs *coordinatortest.Logs) *coordinator.Runtime[*sum] {
	t.Helper()
	r, err := coordinator.New(coordinator.Config{Name: "test", Logs: logs}, newSum)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// outcome is how an operation ended.
type outcome struct {
	total int // the machine's total when the operation ran
	err   error
	ended bool
}

// adds starts to add n in partition p. The test reads the outcome after synctest.Wait.
func adds(r *coordinator.Runtime[*sum], p int32, n int) *outcome {
	o := &outcome{}
	end := func(err error) { o.err, o.ended = err, true }
	r.Do(p, func(s *sum) {
		if err := s.add(n, end); err != nil {
			end(err)
		}
		o.total = s.total
	}, end)
	return o
}

// total starts to read the total of partition p; it ends when that total is durable.
func total(r *coordinator.Runtime[*sum], p int32) *outcome {
	o := &outcome{}
	end := func(err error) { o.err, o.ended = err, true }
	r.Do(p, func(s *sum) {
		o.total = s.total
		s.Settled(end)
	}, end)
	return o
}

func TestAnswersWaitForDurabilityAndStateDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(2)
		r := runtime(t, logs)
		logs.Hold()
		first, second, read := adds(r, 0, 1), adds(r, 0, 2), total(r, 0)
		other := total(r, 1)
		synctest.Wait()
		require.False(t, first.ended)
		require.False(t, second.ended)
		require.False(t, read.ended, "a read that sees what is not durable waits")
		require.True(t, other.ended, "shards do not wait for each other")
		require.Equal(t, 3, second.total, "the next operation sees what was appended")
		logs.Release()
		synctest.Wait()
		for _, o := range []*outcome{first, second, read} {
			require.True(t, o.ended)
			require.NoError(t, o.err)
		}
		require.Equal(t, 3, read.total)
	})
}

func TestAnswersKeepTheOrderOfTheAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		logs.Hold()
		first, second := adds(r, 0, 1), adds(r, 0, 2)
		synctest.Wait()
		logs.AcknowledgeLast(0)
		synctest.Wait()
		require.False(t, first.ended)
		require.False(t, second.ended, "the state it was decided on is not durable yet")
		logs.Release()
		synctest.Wait()
		require.True(t, first.ended)
		require.True(t, second.ended)
	})
}

func TestReplayBeginsAtTheLogStartOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		logs.Put(0, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("1")}))
		logs.Put(0, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("2")}, record.KeyValue{Key: []byte("k"), Value: []byte("4")}))
		logs.SetStart(0, 2)
		r := runtime(t, logs)
		r.LoadAll()
		synctest.Wait()
		o := total(r, 0)
		synctest.Wait()
		require.NoError(t, o.err)
		require.Equal(t, 4, o.total)
	})
}

func TestBatchesAreThoseOfKafkasCoordinators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		now := time.Now()
		adds(r, 0, 1)
		synctest.Wait()
		b := logs.Batches(0)[0]
		require.True(t, b.ValidCRC())
		require.EqualValues(t, 2, b[16])
		require.Zero(t, b.Attributes())
		require.EqualValues(t, -1, b.ProducerID())
		require.EqualValues(t, -1, b.ProducerEpoch())
		require.Zero(t, b.BaseSequence())
		require.Equal(t, now.UnixMilli(), b.MaxTimestamp())
		require.EqualValues(t, 1, b.Count())
	})
}

func TestFailedAppendRollsTheStateBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		kept := adds(r, 0, 1)
		synctest.Wait()
		require.NoError(t, kept.err)

		logs.Hold()
		lost, read := adds(r, 0, 10), total(r, 0)
		var m *sum
		r.Do(0, func(s *sum) { m = s }, func(error) {})
		synctest.Wait()
		logs.Fail()
		synctest.Wait()
		for _, o := range []*outcome{lost, read} {
			require.True(t, o.ended)
			require.ErrorIs(t, o.err, kerr.NotCoordinator)
		}
		require.ErrorIs(t, m.unloaded, kerr.NotCoordinator)
		refused := total(r, 0)
		synctest.Wait()
		require.ErrorIs(t, refused.err, kerr.NotCoordinator)

		time.Sleep(time.Second)
		synctest.Wait()
		again := total(r, 0)
		synctest.Wait()
		require.NoError(t, again.err)
		require.Equal(t, 1, again.total)
		next := adds(r, 0, 5)
		synctest.Wait()
		require.NoError(t, next.err)
		require.Equal(t, 6, next.total)
	})
}

func TestAppendThatFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		adds(r, 0, 1)
		synctest.Wait()
		logs.Fail()
		var errs []error
		r.Do(0, func(s *sum) {
			errs = append(errs, s.add(2, nil), s.add(3, nil))
			require.Equal(t, 1, s.total, "nothing is applied that was not appended")
		}, func(error) {})
		behind := total(r, 0)
		synctest.Wait()
		require.Len(t, errs, 2)
		for _, err := range append(errs, behind.err) {
			require.ErrorIs(t, err, kerr.NotCoordinator)
		}
	})
}

func TestBatchThatIsTooLargeIsRefusedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		logs.Limit(70)
		refused := adds(r, 0, 1_000_000_000)
		synctest.Wait()
		require.ErrorIs(t, refused.err, kerr.MessageTooLarge)
		require.Zero(t, refused.total)
		logs.Limit(0)
		fine := adds(r, 0, 4)
		synctest.Wait()
		require.NoError(t, fine.err)
		require.Equal(t, 4, fine.total)
		require.Equal(t, 1, logs.Opens())
	})
}

func TestLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(3)
		for range 5 {
			logs.Put(1, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("2")}, record.KeyValue{Key: []byte("k"), Value: []byte("3")}))
		}
		r := runtime(t, logs)
		release := logs.HoldReads()
		first := total(r, 1)
		synctest.Wait()
		require.ErrorIs(t, first.err, kerr.CoordinatorLoadInProgress)
		late := total(r, 1)
		require.ErrorIs(t, late.err, kerr.CoordinatorLoadInProgress, "refused without waiting")

		var now, later outcome
		r.All(func(s *sum, done func(error)) { now.total += s.total; done(nil) }, func(err error) { now.err, now.ended = err, true })
		r.AllEventually(func(s *sum, done func(error)) { later.total += s.total; done(nil) }, func(err error) { later.err, later.ended = err, true })
		synctest.Wait()
		require.ErrorIs(t, now.err, kerr.CoordinatorLoadInProgress)
		require.False(t, later.ended)
		release()
		synctest.Wait()
		require.True(t, later.ended)
		require.NoError(t, later.err)
		require.Equal(t, 25, later.total)
		after := total(r, 1)
		synctest.Wait()
		require.Equal(t, 25, after.total)
	})
}

func TestLoadAllLeavesEmptyShardsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(50)
		logs.Put(7, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("1")}))
		registry := prometheus.NewRegistry()
		r, err := coordinator.New(coordinator.Config{Name: "test", Logs: logs, Registerer: registry}, newSum)
		require.NoError(t, err)
		defer r.Close()
		r.LoadAll()
		synctest.Wait()
		loaded := func() float64 {
			families, err := registry.Gather()
			require.NoError(t, err)
			for _, f := range families {
				if f.GetName() == "bote_coordinator_loaded_shards" {
					return f.GetMetric()[0].GetGauge().GetValue()
				}
			}
			return -1
		}
		require.InDelta(t, 1, loaded(), 0)
		opens := logs.Opens()
		count := 0
		r.All(func(_ *sum, done func(error)) { count++; done(nil) }, func(err error) { require.NoError(t, err) })
		synctest.Wait()
		require.Equal(t, 1, count)
		require.Equal(t, opens, logs.Opens(), "what is known to be empty is not opened again")
		adds(r, 8, 1)
		synctest.Wait()
		require.InDelta(t, 2, loaded(), 0)
	})
}

func TestAllWithoutATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(50)
		r := runtime(t, logs)
		ended := false
		r.All(func(*sum, func(error)) { t.Error("there is no shard") }, func(err error) { ended = err == nil })
		require.True(t, ended)
		require.Zero(t, logs.Opens(), "asking does not create the topic")
	})
}

func TestLogThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(2)
		r := runtime(t, logs)
		logs.RefuseOpen(errors.New("disk on fire"))
		refused := total(r, 0)
		synctest.Wait()
		require.ErrorIs(t, refused.err, kerr.CoordinatorNotAvailable)
		opens := logs.Opens()
		require.ErrorIs(t, total(r, 0).err, kerr.CoordinatorNotAvailable)
		require.Equal(t, opens, logs.Opens(), "requests do not hurry it")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Greater(t, logs.Opens(), opens+2)
		require.Less(t, logs.Opens(), opens+10, "it waits longer each time")
		logs.RefuseOpen(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		fine := total(r, 0)
		synctest.Wait()
		require.NoError(t, fine.err)

		logs.RefuseOpen(kerr.NotCoordinator)
		other := total(r, 1)
		synctest.Wait()
		require.ErrorIs(t, other.err, kerr.NotCoordinator)
		opens = logs.Opens()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, opens, logs.Opens(), "what is not ours is not tried again")
	})
}

// TestUnreadableRecordsAreSkipped: records that the machine cannot read do not hold up a
// shard, and one line in the log reports them.
func TestUnreadableRecordsAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		number := func(s string) record.KeyValue { return record.KeyValue{Key: []byte("k"), Value: []byte(s)} }
		logs.Put(0, record.Build(1, number("1")))
		logs.Put(0, record.Build(1, number("2"), number("x"), number("4")))
		logs.Put(0, record.Build(1, number("y"), number("8")))
		var lines bytes.Buffer
		r, err := coordinator.New(coordinator.Config{Name: "test", Logs: logs, Logger: slog.New(slog.NewTextHandler(&lines, nil))}, newSum)
		require.NoError(t, err)
		defer r.Close()
		r.LoadAll()
		synctest.Wait()
		o := total(r, 0)
		synctest.Wait()
		require.NoError(t, o.err)
		require.Equal(t, 15, o.total)
		require.Equal(t, 1, strings.Count(lines.String(), "level=ERROR"), lines.String())
		require.Contains(t, lines.String(), "partition=0 offset=2 records=2")
	})
}

// TestAppendThatCannotBeApplied: a machine that appends a record which it cannot read
// loses its shard, which then serves again without the record.
func TestAppendThatCannotBeApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runtime(t, coordinatortest.New(1))
		adds(r, 0, 1)
		var err error
		r.Do(0, func(s *sum) { err = s.Append([]record.KeyValue{{Key: []byte("k"), Value: []byte("x")}}, nil) }, func(error) {})
		synctest.Wait()
		require.ErrorIs(t, err, kerr.NotCoordinator)
		time.Sleep(time.Second)
		synctest.Wait()
		o := adds(r, 0, 2)
		synctest.Wait()
		require.NoError(t, o.err)
		require.Equal(t, 3, o.total)
	})
}

func TestUnreadableLogIsNotServed(t *testing.T) {
	number := record.KeyValue{Key: []byte("k"), Value: []byte("1")}
	for name, b := range map[string]record.Batch{
		"checksum": func() record.Batch {
			b := record.Build(1, number)
			b[len(b)-1] ^= 1
			return b
		}(),
		"record": func() record.Batch {
			b := record.Build(1, number)
			b[len(b)-1] = 0x7f // the number of headers, now impossible
			b.SealCRC()
			return b
		}(),
		"codec": func() record.Batch {
			b := record.Build(1, number)
			b[22] |= 7
			b.SealCRC()
			return b
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logs := coordinatortest.New(1)
				logs.Put(0, b)
				r := runtime(t, logs)
				total(r, 0)
				synctest.Wait()
				o := total(r, 0)
				synctest.Wait()
				require.ErrorIs(t, o.err, kerr.CoordinatorNotAvailable)
			})
		})
	}
}

func TestUnloadAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		adds(r, 0, 3)
		synctest.Wait()
		logs.Hold()
		waiting := adds(r, 0, 4)
		synctest.Wait()
		r.Unload(0)
		synctest.Wait()
		require.ErrorIs(t, waiting.err, kerr.NotCoordinator)
		logs.Release()
		again := total(r, 0) // starts to load
		synctest.Wait()
		require.ErrorIs(t, again.err, kerr.CoordinatorLoadInProgress)
		again = total(r, 0)
		synctest.Wait()
		require.Equal(t, 7, again.total, "what became durable after the unload counts")

		logs.Hold()
		waiting = adds(r, 0, 4)
		synctest.Wait()
		r.Close()
		require.ErrorIs(t, waiting.err, kerr.NotCoordinator)
		closed := total(r, 0)
		require.ErrorIs(t, closed.err, kerr.NotCoordinator)
		r.Close()
	})
}

func TestCloseWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		logs.Put(0, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("1")}))
		r := runtime(t, logs)
		defer logs.HoldReads()()
		var err error
		r.AllEventually(func(_ *sum, done func(error)) { done(nil) }, func(e error) { err = e })
		synctest.Wait()
		r.Close()
		require.ErrorIs(t, err, kerr.NotCoordinator)
	})
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runtime(t, coordinatortest.New(1))
		start := time.Now()
		var fired []string
		note := func(name string) func() { return func() { fired = append(fired, name+" "+time.Since(start).String()) } }
		var a, b, c, d, again coordinator.Timer
		r.Do(0, func(s *sum) {
			s.Schedule(&a, 3*time.Second, note("a"))
			s.Schedule(&b, 1*time.Second, note("b"))
			s.Schedule(&c, 2*time.Second, note("c"))
			s.Schedule(&d, 4*time.Second, note("d"))
			s.Cancel(&c)
			s.Cancel(&c)
			s.Restart(&b, 5*time.Second)
			n := 0
			var tick func()
			tick = func() {
				note("tick")()
				if n++; n < 3 {
					s.Schedule(&again, 0, tick)
				}
			}
			s.Schedule(&again, 0, tick)
		}, func(error) {})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"tick 0s", "tick 0s", "tick 0s", "a 3s", "d 4s", "b 5s"}, fired)
		require.False(t, a.Armed())
	})
}

func TestTimersEndWithTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		r := runtime(t, logs)
		var timer coordinator.Timer
		r.Do(0, func(s *sum) { s.Schedule(&timer, time.Second, func() { t.Error("fired") }) }, func(error) {})
		synctest.Wait()
		r.Unload(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.False(t, timer.Armed())
	})
}

// TestShardThatFailsAgainAndAgain: a log that can be read but accepts no batches is not
// replayed without pause, and the broker's log has one line about it. After the shard
// has served for a while, the wait is as short as at first.
func TestShardThatFailsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(1)
		logs.Put(0, record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte("1")}))
		var out bytes.Buffer
		r, err := coordinator.New(coordinator.Config{Name: "test", Logs: logs, Logger: slog.New(slog.NewTextHandler(&out, nil))}, newSum)
		require.NoError(t, err)
		t.Cleanup(r.Close)
		fail := func(length time.Duration) (opens int) {
			before := logs.Opens()
			for end := time.Now().Add(length); time.Now().Before(end); {
				logs.Hold()
				adds(r, 0, 1)
				synctest.Wait()
				logs.Fail()
				synctest.Wait()
				time.Sleep(100 * time.Millisecond)
			}
			return logs.Opens() - before
		}
		require.Less(t, fail(5*time.Minute), 20)
		require.Equal(t, 1, strings.Count(out.String(), "coordinator shard failed"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(out.String(), "coordinator shard serves again"))
		fail(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		fine := total(r, 0)
		synctest.Wait()
		require.NoError(t, fine.err, "a new episode begins with a short wait")
		require.Equal(t, 2, strings.Count(out.String(), "coordinator shard failed"))
	})
}

// TestReload: Reload loads a shard again at once, even if it waits for its next attempt.
// It leaves an idle shard alone.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(2)
		r := runtime(t, logs)
		r.Reload(0)
		r.Reload(7)
		synctest.Wait()
		require.Zero(t, logs.Opens())
		require.NoError(t, settled(adds(r, 0, 1)).err)
		opens := logs.Opens()
		r.Reload(0)
		synctest.Wait()
		require.Equal(t, opens+1, logs.Opens())
		require.Equal(t, 1, settled(total(r, 0)).total)

		logs.RefuseOpen(errors.New("disk on fire"))
		r.Reload(0)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		require.ErrorIs(t, settled(total(r, 0)).err, kerr.CoordinatorNotAvailable)
		logs.RefuseOpen(nil)
		r.Reload(0)
		synctest.Wait()
		require.NoError(t, settled(total(r, 0)).err)
	})
}

// settled waits until all goroutines are blocked: by then the operation has ended.
func settled(o *outcome) *outcome {
	synctest.Wait()
	return o
}
