package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
)

// The files below testdata/cli were recorded from Kafka 4.2's tools. The first character of a line says what the line is:
// # note, : setting, + file and | its lines, $ command, < input, = exit code, > stdout, ! stderr.

type goldenCase struct {
	settings map[string]string
	masks    [][2]string
	files    map[string]string
	command  string
	stdin    string
	exit     int
	out, err string
}

func readCase(t *testing.T, file string) goldenCase {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	c := goldenCase{settings: map[string]string{}, files: map[string]string{}}
	name := ""
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSuffix(line[min(2, len(line)-1):], "\n")
		switch line[0] {
		case ':':
			k, v, _ := strings.Cut(text, " ")
			if from, to, ok := strings.Cut(v, " => "); k == "mask" && ok {
				c.masks = append(c.masks, [2]string{from, to})
			}
			c.settings[k] = v
		case '+':
			name = text
		case '|':
			c.files[name] += text + "\n"
		case '$':
			c.command = text
		case '<':
			c.stdin += text + "\n"
		case '=':
			c.exit, err = strconv.Atoi(text)
			require.NoError(t, err)
		case '>':
			c.out += text + "\n"
		case '!':
			c.err += text + "\n"
		}
	}
	if like := c.settings["like"]; like != "" {
		other := readCase(t, filepath.Join(filepath.Dir(file), like+".txt"))
		c.exit, c.out, c.err = other.exit, other.out, other.err
	}
	return c
}

var (
	tableHead  = regexp.MustCompile(`^Option(?: \(\* = required\))? +Description *$`)
	tableRow   = regexp.MustCompile(`^ {0,2}(-[\w-]+(?: [A-Z_]{2,})?(?:, ?-[\w-]+(?: [A-Z_]{2,})?)*)(?: <(\w+)\S*)?`)
	logLine    = regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] |^\[<Time>\] `)
	throwLine  = regexp.MustCompile(`^(Exception in thread.*|[\w.$]+(Exception|Error)(: .*)?| ?\([\w.$]+\))$`)
	setOrdered = regexp.MustCompile(`(of these options: |following options: |Valid states are: |Valid types are: |scenarios: \[|Option combination "\[)((?:\[[\w-]+\]|\w+)(?:, (?:\[[\w-]+\]|\w+))*)`)
)

// shape reduces a help text to its Kafka parts: usage lines, and options with the types of their arguments. With prose it also
// keeps the other lines outside the table.
func shape(text string, prose bool) string {
	var out, use []string
	table := false
	end := func() {
		if use != nil {
			out = append(out, strings.Join(strings.Fields(strings.Join(use, " ")), " "))
			use = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case tableHead.MatchString(line), line == "optional arguments:":
			table = true
		case strings.HasPrefix(line, "usage: "):
			use = []string{line}
			continue
		case use != nil && strings.HasPrefix(line, " ") && strings.TrimSpace(line) != "":
			use = append(use, strings.TrimSpace(line))
			continue
		case table && !strings.HasPrefix(line, "---") && tableRow.MatchString(line):
			m := tableRow.FindStringSubmatch(line)
			if m[2] != "" {
				m[1] += " <" + m[2] + ">"
			}
			out = append(out, m[1])
		case !table && strings.TrimSpace(line) != "" && (prose || strings.Contains(line, "error: ")):
			out = append(out, line)
		}
		end()
	}
	end()
	return strings.Join(out, "\n")
}

// withoutJava removes Java's log lines, exceptions and stack traces from stderr, and replaces the option table by one line.
func withoutJava(text, tool string) string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if tableHead.MatchString(line) {
			out = append(out, "<Usage "+tool+">")
			break
		}
		if logLine.MatchString(line) || line == "<Stack>" || strings.HasPrefix(line, "Caused by: ") || throwLine.MatchString(line) {
			continue
		}
		out = append(out, line)
	}
	return strings.TrimSpace(sortSets(strings.Join(out, "\n")))
}

// sortSets sorts the lists that Kafka prints in another order in each run.
func sortSets(text string) string {
	return setOrdered.ReplaceAllStringFunc(text, func(s string) string {
		m := setOrdered.FindStringSubmatch(s)
		words := strings.Split(m[2], ", ")
		slices.Sort(words)
		return m[1] + strings.Join(words, ", ")
	})
}

func toolOf(command string) string { return strings.TrimSuffix(clitest.Words(command)[0], ".sh") }

// TestHelp compares every tool's options, their arguments, the exit code and the streams with Kafka's.
func TestHelp(t *testing.T) {
	files, err := filepath.Glob("../../testdata/cli/help/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			c := readCase(t, file)
			got := run(t, "", clitest.Words(c.command)...)
			require.Equal(t, c.exit, got.Exit)
			prose := strings.HasSuffix(name, ".unknown") || strings.HasSuffix(name, ".version")
			require.Equal(t, strings.TrimSpace(c.out), shape(got.Out, prose))
			want := c.err
			if strings.HasSuffix(name, ".unknown") {
				want, got.Err = withoutThrows(want), withoutThrows(got.Err)
			}
			require.Equal(t, strings.TrimSpace(want), shape(got.Err, prose))
		})
	}
}

// withoutThrows drops the exception that Kafka prints below a message.
func withoutThrows(text string) string {
	var out []string
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if line == "<Stack>" || i > 0 && throwLine.MatchString(line) {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// TestLocalErrors replays the command lines that Kafka's tools refuse without asking a broker.
func TestLocalErrors(t *testing.T) {
	files, err := filepath.Glob("../../testdata/cli/local/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		file, err := filepath.Abs(file)
		require.NoError(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			c := readCase(t, file)
			t.Chdir(t.TempDir())
			for name, text := range c.files {
				require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			}
			got := run(t, c.stdin, clitest.Words(c.command)...)
			for _, m := range c.masks {
				rx := regexp.MustCompile(`(?m)` + m[0])
				got.Out = rx.ReplaceAllString(got.Out, strings.ReplaceAll(m[1], `\`, `$`))
			}
			tool := toolOf(c.command)
			require.Equal(t, c.exit, got.Exit, got.Err)
			require.Equal(t, c.out, got.Out)
			require.Equal(t, withoutJava(c.err, tool), withoutJava(got.Err, tool))
		})
	}
}
