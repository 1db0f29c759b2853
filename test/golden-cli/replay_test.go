package goldencli

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/test/disttree"
)

// TestReplay replays all scenarios. The cases that differ must be exactly those of known-differences.txt.
func TestReplay(t *testing.T) {
	if os.Getenv("BOTE_COMPAT") != "1" {
		t.Skip("BOTE_COMPAT=1 switches this on")
	}
	disttree.Needs(t, "bash", "python3", "script", "timeout")
	root := disttree.Build(t, "")
	known := knownDifferences(t)
	scenarios, err := os.ReadDir("cases")
	require.NoError(t, err)
	for _, s := range scenarios {
		t.Run(s.Name(), func(t *testing.T) {
			failed, output := replay(t, root, s.Name())
			var want []string
			for name := range known {
				if strings.HasPrefix(name, s.Name()+"/") {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			slices.Sort(failed)
			require.Equal(t, want, failed, "%s", output)
		})
	}
}

// replay runs one scenario and returns the cases that differ.
func replay(t *testing.T, root, scenario string) (failed []string, output string) {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(t.Context(), "python3", "replay.py", "--lenient",
		"--bin", filepath.Join(root, "bin"), "--bootstrap", "localhost:"+strconv.Itoa(freePorts(t)), "--data", data,
		"--fresh", filepath.Join(here, "fresh.sh"), scenario)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	ended := regexp.MustCompile(`(?m)^\d+ ok, \d+ failed$`).MatchString(out.String())
	require.True(t, ended, "%v: %s", err, out.String())
	for _, m := range regexp.MustCompile(`(?m)^FAIL (\S+)$`).FindAllStringSubmatch(out.String(), -1) {
		failed = append(failed, m[1])
	}
	return failed, out.String()
}

// freePorts finds two consecutive ports, for clients and for controllers. They have five digits, as replay.py expects of
// ports that are not 9092.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 21092; port < 22092; port += 10 {
		var lc net.ListenConfig
		free := 0
		for _, p := range []int{port, port + 1} {
			if l, err := lc.Listen(t.Context(), "tcp", "localhost:"+strconv.Itoa(p)); err == nil {
				require.NoError(t, l.Close())
				free++
			}
		}
		if free == 2 {
			return port
		}
	}
	require.Fail(t, "no free ports")
	return 0
}

// knownDifferences reads the list: a case and its reason in each line.
func knownDifferences(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("known-differences.txt")
	require.NoError(t, err)
	known := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, " ")
		require.True(t, ok && strings.TrimSpace(reason) != "", "%q has no reason", line)
		require.FileExists(t, filepath.Join("cases", name+".txt"))
		known[name] = reason
	}
	return known
}
