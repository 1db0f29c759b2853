package delivery

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// An outage repeats the same few lines of franz-go. Only a limited number of each is
// written, with the group and the number of suppressed lines.
func TestKafkaClientLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil)).With(slog.String("group", "g"))
		l := kgoLogger{log: log, gate: newLogGate(systemClock{})}
		for range 100 {
			l.Log(kgo.LogLevelWarn, "unable to open connection to broker", "broker", "1")
		}
		l.Log(kgo.LogLevelError, "something else")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, gateLines+1)
		require.Contains(t, lines[0], `msg="kafka client" group=g detail="unable to open connection to broker" broker=1`)
		require.Contains(t, lines[gateLines], "level=ERROR")
		time.Sleep(gateWindow)
		out.Reset()
		l.Log(kgo.LogLevelWarn, "unable to open connection to broker", "broker", "1")
		require.Contains(t, out.String(), "suppressed=90")
	})
}

// The names of the options are known however the compiler built them.
func TestOptionNames(t *testing.T) {
	wrapped := func() kgo.Opt { return kgo.ConsumerGroup("x") }
	for want, o := range map[string]kgo.Opt{
		"ConsumerGroup":     wrapped(),
		"ConsumeTopics":     kgo.ConsumeTopics("x"),
		"DisableAutoCommit": kgo.DisableAutoCommit(),
		"RequiredAcks":      kgo.RequiredAcks(kgo.NoAck()),
		"WithHooks":         kgo.WithHooks(),
	} {
		require.Equal(t, want, optName(o))
	}
}
