package load_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/botehq/bote/bench/load"
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
