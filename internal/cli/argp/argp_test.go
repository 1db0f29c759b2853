package argp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgParser(t *testing.T) {
	p := &Parser{Prog: "tool", HelpExit: 1, Args: []Argument{{Flags: []string{"--server"}, Metavar: "SERVER", Required: true}}, Subs: []*SubCommand{
		{Name: "do", Args: []Argument{
			{Flags: []string{"--id", "-i"}, Metavar: "ID", Number: "Integer"},
			{Flags: []string{"--flag", "-f"}},
			{Flags: []string{"--one"}, Metavar: "ONE", Group: "g"},
			{Flags: []string{"--two"}, Group: "g"},
			{Flags: []string{"--many"}, Metavar: "M", Many: true},
			{Flags: []string{"--add"}, Metavar: "A", Append: true},
		}},
		{Name: "other"},
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
			require.Equal(t, c.values, set.Values)
		})
	}
}

// TestJustified compares lines with those that argparse4j made of the words a b c ... with so many blanks to spread.
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
