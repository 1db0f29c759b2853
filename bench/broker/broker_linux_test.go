package broker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/bench/broker"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
)

// TestLifeOfABroker starts a bote, stops it, starts it again on its data, kills it and
// removes it.
func TestLifeOfABroker(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "bote")
	require.NoError(t, broker.Build(t.Context(), binary))
	dir := filepath.Join(t.TempDir(), "broker")
	b, err := broker.New(t.Context(), broker.Bote{Binary: binary, Flush: "os"}, dir)
	require.NoError(t, err)
	require.False(t, b.Alive())
	took, err := b.Start(t.Context())
	require.NoError(t, err)
	require.Positive(t, took)
	require.True(t, b.Alive())
	_, err = b.Stop(t.Context())
	require.NoError(t, err)
	require.False(t, b.Alive())

	first := b.PID()
	_, err = b.Start(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, b.PID())
	b.Kill()
	require.False(t, b.Alive())
	require.FileExists(t, filepath.Join(b.Dir(), "broker.log"))
	require.NoError(t, b.Remove())
	require.NoDirExists(t, dir)
}

// TestABrokerThatDoesNotStart: if a process ends instead of answering, the error has
// its last words.
func TestABrokerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\necho no such luck\n"), 0o700)) //nolint:gosec // it is to be run
	b, err := broker.New(t.Context(), broker.Bote{Binary: binary}, filepath.Join(t.TempDir(), "broker"))
	require.NoError(t, err)
	_, err = b.Start(t.Context())
	require.ErrorContains(t, err, "the process ended: no such luck")
	require.NoError(t, b.Remove())
}

// TestPin: the process may use only its core.
func TestPin(t *testing.T) {
	t.Parallel()
	cores, err := proc.Cores()
	require.NoError(t, err)
	binary := filepath.Join(t.TempDir(), "cores")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\ngrep Cpus_allowed_list /proc/self/status\n"), 0o700)) //nolint:gosec // it is to be run
	b, err := broker.New(t.Context(), broker.Bote{Binary: binary}, filepath.Join(t.TempDir(), "broker"))
	require.NoError(t, err)
	last := cores[len(cores)-1]
	b.Pin(last)
	_, err = b.Start(t.Context())
	require.ErrorContains(t, err, fmt.Sprintf("Cpus_allowed_list:\t%d", last))
}

// TestLifeOfTheBareProgram starts the benchmark as the bare program and stops it.
func TestLifeOfTheBareProgram(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "bench")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/botehq/bote/bench").CombinedOutput()
	require.NoError(t, err, string(out))
	b, err := broker.New(t.Context(), broker.Bare{Binary: binary, Sync: true}, filepath.Join(t.TempDir(), "broker"))
	require.NoError(t, err)
	_, err = b.Start(t.Context())
	require.NoError(t, err)
	o := load.Defaults()
	o.Fresh, o.Records, o.PID, o.Bootstrap = false, 1000, b.PID(), b.Address()
	o.Mode = "raw-produce"
	_, err = load.Run(t.Context(), o)
	require.NoError(t, err)
	o.Mode, o.Bootstrap = "raw-consume", b.SecondAddress()
	_, err = load.Run(t.Context(), o)
	require.NoError(t, err)
	_, err = b.Stop(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Remove())
}

func TestFindKafka(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	_, err := broker.FindKafka(t.Context(), home, "1g")
	require.ErrorContains(t, err, "no libs/kafka-clients-VERSION.jar")
	require.NoError(t, os.Mkdir(filepath.Join(home, "libs"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(home, "libs", "kafka-clients-4.2.0.jar"), nil, 0o600))
	k, err := broker.FindKafka(t.Context(), home, "1g")
	require.NoError(t, err)
	require.Equal(t, "4.2.0", k.Version())
}
