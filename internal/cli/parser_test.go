package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptParser(t *testing.T) {
	p := &optParser{options: []option{
		{name: "topic", arg: requiredArg},
		{name: "list"},
		{name: "codec", arg: optionalArg},
		{name: "describe"},
		{name: "members", with: []string{"describe"}},
		{name: "n", arg: requiredArg},
		{name: "need", required: true, arg: requiredArg},
		helpOption(),
	}}
	for name, c := range map[string]struct {
		args  string
		given map[string][]string
		words []string
		err   string
	}{
		"space":          {args: "--need x --topic t", given: map[string][]string{"need": {"x"}, "topic": {"t"}}},
		"equals":         {args: "--need=x --topic=a=b", given: map[string][]string{"need": {"x"}, "topic": {"a=b"}}},
		"single dash":    {args: "-need x -list", given: map[string][]string{"need": {"x"}, "list": {}}},
		"takes anything": {args: "--need --list", given: map[string][]string{"need": {"--list"}}},
		"negative":       {args: "--need x --n -10", given: map[string][]string{"need": {"x"}, "n": {"-10"}}},
		"optional alone": {args: "--need x --codec --list", given: map[string][]string{"need": {"x"}, "codec": {}, "list": {}}},
		"optional given": {args: "--need x --codec gzip", given: map[string][]string{"need": {"x"}, "codec": {"gzip"}}},
		"words":          {args: "a --need x b - c", given: map[string][]string{"need": {"x"}}, words: []string{"a", "b", "-", "c"}},
		"end":            {args: "--need x -- --list", given: map[string][]string{"need": {"x"}}, words: []string{"--list"}},
		"repeated":       {args: "--need x --topic a --topic b", given: map[string][]string{"need": {"x"}, "topic": {"a", "b"}}},
		"unknown":        {args: "--need x --foo", err: "foo is not a recognized option"},
		"abbreviation":   {args: "--need x --desc", err: "desc is not a recognized option"},
		"cluster":        {args: "--need x -xyz", err: "x is not a recognized option"},
		"no argument":    {args: "--need x --topic", err: "Option topic requires an argument"},
		"missing":        {args: "--list", err: "Missing required option(s) [need]"},
		"help":           {args: "--help", given: map[string][]string{"help": {}}},
		"unavailable":    {args: "--need x --members", err: "Option(s) [members] are unavailable given other options on the command line"},
		"available":      {args: "--need x --members --describe", given: map[string][]string{"need": {"x"}, "members": {}, "describe": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := p.parse(strings.Fields(c.args))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.given, set.given)
			require.Equal(t, c.words, set.words)
		})
	}
}

func TestOptSetValues(t *testing.T) {
	set := &optSet{given: map[string][]string{"a": {"1", "2"}, "b": {"x"}, "c": {"-7"}, "d": {"99999999999"}}}
	_, err := set.text("a", "")
	require.EqualError(t, err, "Found multiple arguments for option a, but you asked for only one")
	_, err = set.integer("b", 0, 32)
	require.EqualError(t, err, "Cannot parse argument 'x' of option b")
	_, err = set.integer("d", 0, 32)
	require.EqualError(t, err, "Cannot parse argument '99999999999' of option d")
	n, err := set.integer("c", 0, 32)
	require.NoError(t, err)
	require.Equal(t, int64(-7), n)
	n, err = set.integer("none", 5, 32)
	require.NoError(t, err)
	require.Equal(t, int64(5), n)
}

func TestTableIsPadded(t *testing.T) {
	var b strings.Builder
	topicsParser().writeTable(&b)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Greater(t, len(lines), 20)
	for _, line := range lines {
		require.Len(t, line, len(lines[0]), line)
		require.LessOrEqual(t, len(line), tableWidth)
	}
}

func TestArgParser(t *testing.T) {
	p := &argParser{prog: "tool", helpExit: 1, args: []argument{{flags: []string{"--server"}, metavar: "SERVER", required: true}}, subs: []*argSub{
		{name: "do", args: []argument{
			{flags: []string{"--id", "-i"}, metavar: "ID", number: "Integer"},
			{flags: []string{"--flag", "-f"}},
			{flags: []string{"--one"}, metavar: "ONE", group: "g"},
			{flags: []string{"--two"}, group: "g"},
			{flags: []string{"--many"}, metavar: "M", many: true},
			{flags: []string{"--add"}, metavar: "A", append: true},
		}},
		{name: "other"},
	}}
	for name, c := range map[string]struct {
		args   string
		values map[string][]string
		err    string
	}{
		"long":        {args: "--server s do --id 3 --one x", values: map[string][]string{"server": {"s"}, "id": {"3"}, "one": {"x"}}},
		"joined":      {args: "--server=s do -i3 --two", values: map[string][]string{"server": {"s"}, "id": {"3"}, "two": {"true"}}},
		"negative":    {args: "--server s do -i -3 --two", values: map[string][]string{"server": {"s"}, "id": {"-3"}, "two": {"true"}}},
		"many":        {args: "--server s do --two --many a b=c -f", values: map[string][]string{"server": {"s"}, "two": {"true"}, "many": {"a", "b=c"}, "flag": {"true"}}},
		"append":      {args: "--server s do --two --add a --add b", values: map[string][]string{"server": {"s"}, "two": {"true"}, "add": {"a", "b"}}},
		"none":        {args: "", err: "too few arguments"},
		"choice":      {args: "--server s what", err: "invalid choice: 'what' (choose from 'do', 'other')"},
		"unknown":     {args: "--server s do --two --bogus", err: "unrecognized arguments: '--bogus'"},
		"word":        {args: "--server s do --two a b", err: "unrecognized arguments: 'a b'"},
		"required":    {args: "other", err: "argument --server is required"},
		"group":       {args: "--server s do", err: "one of the arguments --one --two is required"},
		"both":        {args: "--server s do --one 1 --two", err: "argument --two: not allowed with argument --one"},
		"no value":    {args: "--server s do --two --id", err: "argument --id/-i: expected one argument"},
		"not number":  {args: "--server s do --two --id x", err: "argument --id/-i: could not convert 'x' to int (32 bits)"},
		"want help":   {args: "--server s do --help", err: "help wanted"},
		"short value": {args: "--server s do --two --many", err: "argument --many: expected at least one argument"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := p.parse(strings.Fields(c.args))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.values, set.values)
		})
	}
}

// TestJustified holds lines against what argparse4j made of words a b c ... with so many blanks to spread.
func TestJustified(t *testing.T) {
	for _, want := range []string{
		"a  b", "a      b", "a b  c", "a  b  c", "a   b    c", "a b  c d", "a b  c  d", "a  b   c  d", "a  b   c   d", "a b c  d e",
		"a b  c  d  e", "a  b  c   d  e", "a b c d  e  f g h", "a b c  d  e  f  g h", "a b  c  d  e  f  g h", "a b  c  d  e  f  g  h", "a  b  c  d   e   f  g  h", "a  b  c   d   e   f  g  h",
	} {
		require.Equal(t, want, justified(strings.Join(strings.Fields(want), " ")+" ", len(want)))
	}
	require.Equal(t, "kafka-cluster:  error:  one  of   the  arguments  --bootstrap-server/-b  --\nbootstrap-controller/-C is required",
		wrapJustified("kafka-cluster: error: one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required", "", 0))
	require.Equal(t, "kafka-storage:  error:  unrecognized  arguments:  'random-uuid  -c  server.\nproperties'",
		wrapJustified("kafka-storage: error: unrecognized arguments: 'random-uuid -c server.properties'", "", 0))
	require.Equal(t, "kafka-storage: error: too few arguments", wrapJustified("kafka-storage: error: too few arguments", "", 0))
}

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond, "-PT1M": -time.Minute, "PT-1M": -time.Minute, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second,
	} {
		got, err := isoDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "1d", "P1H", "P1DT", "PT1D"} {
		_, err := isoDuration(text)
		require.EqualError(t, err, "Text cannot be parsed to a Duration", text)
	}
}

func TestDateTime(t *testing.T) {
	want := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-02-01T10:00:00.000", "2026-02-01T10:00:00.000Z", "2026-02-01T19:00:00.000+09:00", "2026-02-01T19:00:00.000+0900"} {
		got, err := parseDateTime(text)
		require.NoError(t, err, text)
		require.True(t, want.Equal(got), text)
	}
	_, err := parseDateTime("yesterday")
	require.EqualError(t, err, "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
}

func TestJaas(t *testing.T) {
	got := jaas(`org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="p\"=; q" x='y';`)
	require.Equal(t, map[string]string{"username": "alice", "password": `p"=; q`, "x": "y"}, got)
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 2, 1, 3, 4, 5, 67_000_000, time.UTC)
	require.Equal(t, "2026-02-01 03:04:05:067", formatTime(at, "yyyy-MM-dd HH:mm:ss:SSS"))
	require.Equal(t, "01/02/26 03.04", formatTime(at, "dd/MM/yy HH.mm"))
}

func TestToolNames(t *testing.T) {
	for _, name := range []string{"kafka-topics", "kafka-topics.sh", "kafka-topics.bat", "KAFKA-TOPICS.EXE"} {
		_, ok := toolNamed(name)
		require.True(t, ok, name)
	}
	_, ok := toolNamed("bote")
	require.False(t, ok)
	require.Equal(t, result{0, "4.2.0\n", ""}, run(t, "", "bote", "kafka-topics", "--version"))
	require.Equal(t, result{0, "4.2.0\n", ""}, run(t, "", "/usr/bin/kafka-topics.sh", "--version"))
	t.Setenv("BOTE_TOOL", "kafka-topics")
	require.Equal(t, result{0, "4.2.0\n", ""}, run(t, "", "whatever", "--version"))
}

func TestVersionVerb(t *testing.T) {
	got := run(t, "", "bote", "version")
	require.Equal(t, 0, got.exit)
	require.Regexp(t, `^bote \S+, as Apache Kafka 4\.2\.0\n$`, got.out)
	require.Equal(t, 1, run(t, "", "bote", "nonsense").exit)
}
