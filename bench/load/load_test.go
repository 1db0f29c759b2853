package load_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/botetest"
)

// small returns options for a load on a fake broker, measured as if the broker were
// this process.
func small(t *testing.T, mode string) load.Options {
	t.Helper()
	double, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(double.Close)
	o := load.Defaults()
	o.Mode, o.Bootstrap, o.PID = mode, double.ListenAddrs()[0], os.Getpid()
	o.Records, o.Rate, o.Time, o.Partitions, o.Count = 3000, 2000, 500*time.Millisecond, 4, 20
	return o
}

func TestProduceThenConsume(t *testing.T) {
	t.Parallel()
	for _, variant := range []struct{ acks, compression string }{{"all", "none"}, {"1", "lz4"}, {"all", "zstd"}} {
		o := small(t, "produce")
		o.Acks, o.Compression = variant.acks, variant.compression
		for _, mode := range []string{"produce", "consume"} {
			o.Mode = mode
			r, err := load.Run(t.Context(), o)
			require.NoError(t, err)
			require.InDelta(t, 3000, r[load.Records], 0, mode)
			require.InDelta(t, 3.072, r[load.MB], 0.001, mode)
			require.InDelta(t, r[load.MB]/r[load.Seconds], r[load.MBPerS], 0.001)
			require.InDelta(t, r[load.BrokerCPU]/r[load.MB]*1000, r[load.CPUPerGB], 0.001)
			require.Positive(t, r[load.Peak])
		}
		served, err := load.Served(t.Context(), o)
		require.NoError(t, err)
		require.EqualValues(t, 3000, served)
	}
}

// raw returns options for the raw client on a broker of its own, which is bote.
func raw(t *testing.T) load.Options {
	t.Helper()
	o := load.Defaults()
	o.Bootstrap, o.PID = botetest.New(t).Addr(), os.Getpid()
	o.Mode, o.Records, o.Partitions = "raw-produce", 3001, 3
	return o
}

// TestRawProduceThenConsume: other clients can read what the raw client sent, and it
// can read what they sent, on every broker.
func TestRawProduceThenConsume(t *testing.T) {
	t.Parallel()
	fake := small(t, "raw-produce")
	own := raw(t)
	unequal, single, none := own, own, own
	unequal.Batch, unequal.Partitions = 10_000, 7
	single.Partitions, single.Acks, single.Size = 1, "1", 100
	none.Records = 2 // a partition stays empty
	for name, o := range map[string]load.Options{"fake": fake, "own": own, "unequal": unequal, "single": single, "none": none} {
		o.Topic = name
		want := float64(o.Records)
		for _, produce := range []string{"raw-produce", "produce"} {
			o.Mode = produce
			r, err := load.Run(t.Context(), o)
			require.NoError(t, err, name)
			require.InDelta(t, want, r[load.Records], 0)
			served, err := load.Served(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, o.Records, served)
			for _, consume := range []string{"raw-consume", "consume"} {
				o.Mode = consume
				r, err := load.Run(t.Context(), o)
				require.NoError(t, err, "%s: %s after %s", name, consume, produce)
				require.InDelta(t, want, r[load.Records], 0)
				require.InDelta(t, want*float64(o.Size)/1e6, r[load.MB], 0.0001)
			}
		}
	}
}

// TestRawProduceFails: every error in an answer ends the load.
func TestRawProduceFails(t *testing.T) {
	t.Parallel()
	o := raw(t)
	o.Fresh = false
	_, err := load.Run(t.Context(), o)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
	o.Fresh, o.Batch, o.Size = true, 2<<20, 2000
	_, err = load.Run(t.Context(), o)
	require.ErrorIs(t, err, kerr.MessageTooLarge)
	o.Batch, o.Compression = 10_000, "lz4"
	_, err = load.Run(t.Context(), o)
	require.ErrorContains(t, err, "does not compress")
	o.Compression, o.Bootstrap = "none", "127.0.0.1:1"
	o.Fresh = false
	_, err = load.Run(t.Context(), o)
	require.ErrorContains(t, err, "connect")
}

// TestRawConsumeFails: records that are missing or too many end the load with an
// error, and so does every error in an answer.
func TestRawConsumeFails(t *testing.T) {
	t.Parallel()
	o := raw(t)
	_, err := load.Run(t.Context(), o)
	require.NoError(t, err)
	o.Mode = "raw-consume"
	for _, wrong := range []int64{3000, 3002} {
		o.Records = wrong
		_, err = load.Run(t.Context(), o)
		require.ErrorContains(t, err, fmt.Sprintf("the topic has 3001 records instead of %d", wrong))
	}
	o.Records, o.Partitions = 3001, 4
	_, err = load.Run(t.Context(), o)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"e2e", "partitions"} {
		o := small(t, mode)
		if mode == "partitions" {
			o.Topics = 2
		}
		began := time.Now()
		r, err := load.Run(t.Context(), o)
		require.NoError(t, err)
		require.InDelta(t, 1000, r[load.Records], 0, mode)
		require.Positive(t, r[load.P50])
		require.LessOrEqual(t, r[load.P50], r[load.P99])
		require.LessOrEqual(t, r[load.P99], r[load.P999])
		require.LessOrEqual(t, r[load.P999], r[load.Max])
		require.Less(t, r[load.Max], float64(time.Since(began).Milliseconds()))
		require.Greater(t, r[load.Seconds], 0.45, "the rate is kept")
	}
}

func TestManyConnectionsAndGroups(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"connections", "groups"} {
		r, err := load.Run(t.Context(), small(t, mode))
		require.NoError(t, err, mode)
		require.InDelta(t, 20, r[load.Records], 0)
		require.Contains(t, r, load.GrowthMB)
	}
}

func TestTheCommand(t *testing.T) {
	t.Parallel()
	o := small(t, "produce")
	var out, remarks bytes.Buffer
	require.Zero(t, load.Main(t.Context(), o.Args(), &out, &remarks), remarks.String())
	var r load.Result
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	require.InDelta(t, 3000, r[load.Records], 0)

	require.Equal(t, 2, load.Main(t.Context(), []string{"-none"}, &out, &remarks))
	require.Equal(t, 1, load.Main(t.Context(), []string{"-mode", "none"}, &out, &remarks))
	require.Contains(t, remarks.String(), `no mode "none"`)
}

// TestArgs: options are the same after they were turned into arguments and parsed.
func TestArgs(t *testing.T) {
	t.Parallel()
	o := load.Options{
		Mode: "e2e", Bootstrap: "h:1", Topic: "x", Topics: 2, Partitions: 3, Records: 4, Size: 5, Acks: "1", Compression: "lz4", Linger: time.Minute, Batch: 6,
		Rate: 7, Time: time.Hour, Count: 8, PID: 9, Fresh: false,
	}
	var back load.Options
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	back.AddFlags(flags)
	require.NoError(t, flags.Parse(o.Args()))
	require.Equal(t, o, back)
	require.NotContains(t, strings.Join(o.Args(), " "), "  ")
}
