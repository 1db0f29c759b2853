package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli"
	"github.com/botehq/bote/internal/config"
)

func lay(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bote")
	require.NoError(t, run([]string{"-out", out, "-root", "../.."}, &bytes.Buffer{}))
	return out
}

func TestEveryToolHasItsWrappers(t *testing.T) {
	t.Parallel()
	out := lay(t)
	require.Contains(t, cli.ToolNames(), "kafka-topics")
	for _, tool := range cli.ToolNames() {
		sh, err := os.ReadFile(filepath.Join(out, "bin", tool+".sh"))
		require.NoError(t, err)
		require.NotContains(t, string(sh), "\r")
		require.Contains(t, string(sh), "/bin/bote\" "+tool+" \"$@\"\n")
		info, err := os.Stat(filepath.Join(out, "bin", tool+".sh"))
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o111), info.Mode().Perm()&0o111)
		}
		bat, err := os.ReadFile(filepath.Join(out, "bin", "windows", tool+".bat"))
		require.NoError(t, err)
		require.Equal(t, strings.Count(string(bat), "\n"), strings.Count(string(bat), "\r\n"))
		require.Contains(t, string(bat), `bote.exe" `+tool+" %*\r\n")
	}
}

func TestConfigFiles(t *testing.T) {
	t.Parallel()
	out := lay(t)
	for _, name := range []string{"server", "broker", "controller", "kraft/server"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join(out, "config", name+".properties"))
			require.NoError(t, err)
			defer f.Close()
			values, err := config.ParseProperties(f)
			require.NoError(t, err)
			_, warnings, err := config.ParseServer(values)
			require.NoError(t, err)
			require.Empty(t, warnings)
		})
	}
	text, err := os.ReadFile(filepath.Join(out, "config", "server.properties"))
	require.NoError(t, err)
	require.Contains(t, string(text), "\nadvertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n")
	for _, name := range []string{"config/consumer.properties", "config/producer.properties", "config/zookeeper.properties", "LICENSE", "NOTICE"} {
		require.FileExists(t, filepath.Join(out, name))
	}
}

// A tree has the batch files that call bote.exe only if it has bote.exe. One for Windows is a zip.
func TestTreeOfASystem(t *testing.T) {
	t.Parallel()
	for binary, batch := range map[string]bool{"bote": false, "bote.exe": true} {
		t.Run(binary, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			from, out := filepath.Join(dir, binary), filepath.Join(dir, "bote-1.0")
			require.NoError(t, os.WriteFile(from, []byte("program"), 0o600))
			require.NoError(t, run([]string{"-out", out, "-root", "../..", "-binary", from, "-zip", out + ".zip"}, &bytes.Buffer{}))
			require.FileExists(t, filepath.Join(out, "README.md"))
			require.FileExists(t, filepath.Join(out, "bin", "kafka-topics.sh"))
			_, err := os.Stat(filepath.Join(out, "bin", "windows", "kafka-topics.bat"))
			require.Equal(t, batch, err == nil)
			r, err := zip.OpenReader(out + ".zip")
			require.NoError(t, err)
			defer r.Close()
			f, err := r.Open("bote-1.0/bin/" + binary)
			require.NoError(t, err)
			text, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, "program", string(text))
		})
	}
}

func TestRefusesToOverwrite(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run([]string{"-out", t.TempDir()}, &bytes.Buffer{}), "exists already")
	require.ErrorContains(t, run(nil, &bytes.Buffer{}), "-out is needed")
}
