package server

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// TestServeTakesAFile: every Kafka user types "serve server.properties". A refused setting
// proves that the file was read. The text is in plain words, as in all of bote's own commands.
func TestServeTakesAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "server.properties")
	require.NoError(t, os.WriteFile(file, []byte("num.partitions=abc\n"), 0o600))
	code, out, errs := clitest.VerbOutput(context.Background(), NewServeCommand, file)
	require.Equal(t, tool.ExitError, code)
	require.Empty(t, errs)
	require.Contains(t, out, "ERROR Cannot start: Invalid value abc for configuration num.partitions")
	require.NotContains(t, out, "Exception")
}

// TestServeAdvisesOnListeners: the line below the error, whose text is mostly Kafka's, says what to do.
func TestServeAdvisesOnListeners(t *testing.T) {
	t.Parallel()
	unparsed := func(listeners, listener string) string {
		return "Error creating broker listeners from '[" + listeners + "]': Unable to parse " + listener + " to a broker endpoint"
	}
	for listeners, want := range map[string]struct{ says, advice string }{
		"PLAINTEXT://127.0.0.1:9094": {
			"requirement failed: controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role",
			"Add the controllers' listener to listeners, as listeners=PLAINTEXT://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093, or leave listeners alone and choose the address with --listen HOST:PORT.",
		},
		"SASL_SSL://:9092":                  {says: "listener SASL_SSL has the security protocol SASL_SSL, which bote does not serve yet"},
		"PLAINTEXT://192.0.2.1":             {unparsed("PLAINTEXT://192.0.2.1", "PLAINTEXT://192.0.2.1"), "The port is missing: write PLAINTEXT://192.0.2.1:9092"},
		"PLAINTEXT://[::1]":                 {unparsed("PLAINTEXT://[::1]", "PLAINTEXT://[::1]"), "The port is missing: write PLAINTEXT://[::1]:9092"},
		"PLAINTEXT://h:9092,CONTROLLER://h": {unparsed("PLAINTEXT://h:9092, CONTROLLER://h", "CONTROLLER://h"), "The port is missing: write CONTROLLER://h:9093"},
		"PLAINTEXT://h:port":                {says: unparsed("PLAINTEXT://h:port", "PLAINTEXT://h:port")},
		"PLAINTEXT://h:":                    {says: unparsed("PLAINTEXT://h:", "PLAINTEXT://h:")},
	} {
		file, _ := clitest.WriteServerConfig(t, "")
		code, out, _ := clitest.VerbOutput(t.Context(), NewServeCommand, file, "--set", "listeners="+listeners)
		require.Equal(t, tool.ExitError, code)
		require.Contains(t, out, " ERROR Cannot start: "+want.says)
		if want.advice != "" {
			require.Contains(t, out, "\n"+want.advice+"\n")
		} else {
			require.NotContains(t, out, "The port is missing")
		}
	}
}

// TestServeNamesTheAddressForClients: that is the advertised address, not the one that is bound.
func TestServeNamesTheAddressForClients(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	require.NoError(t, err)
	for settings, says := range map[string]string{
		"advertised.listeners=PLAINTEXT://broker.example:7777": `broker\.example:7777`,
		"listeners=PLAINTEXT://:0":                             regexp.QuoteMeta(name) + `:[1-9]\d*`,
		"listeners=PLAINTEXT://127.0.0.1:0":                    `127\.0\.0\.1:[1-9]\d*`,
		"advertised.listeners=PLAINTEXT://[2001:db8::1]:0":     `\[2001:db8::1\]:[1-9]\d*`,
		"listeners=PLAINTEXT://127.0.0.1:0,B://127.0.0.1:0 advertised.listeners=PLAINTEXT://127.0.0.1:0,B://b.example:9 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT": `127\.0\.0\.1:[1-9]\d* or b\.example:9`,
	} {
		args := []string{"--data-dir", t.TempDir(), "--set", "listeners=PLAINTEXT://127.0.0.1:0"}
		for setting := range strings.FieldsSeq(settings) {
			args = append(args, "--set", setting)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopAfter{line: "Ctrl-C stops the broker", stop: cancel}
		s := clitest.NewStreams(strings.NewReader(""), out, out)
		require.Equal(t, tool.ExitInterrupted, verb.Run(ctx, s, NewServeCommand(s), args), out.String())
		require.Regexp(t, "Clients connect to "+says+`\. `, out.String(), settings)
		require.Equal(t, 1, strings.Count(out.String(), "The data is in "), out.String())
		require.Contains(t, out.String(), "first_start=true")
		require.NotContains(t, out.String(), "clean=")
	}
}

// stopAfter calls stop when a line is written.
type stopAfter struct {
	bytes.Buffer // the log writes one line at a time

	line string
	stop func()
}

func (w *stopAfter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.line)) {
		w.stop()
	}
	return w.Buffer.Write(p)
}
