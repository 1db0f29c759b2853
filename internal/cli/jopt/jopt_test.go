package jopt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOptParser(t *testing.T) {
	p := &Parser{Options: []Option{
		{Name: "topic", Arg: RequiredArg},
		{Name: "list"},
		{Name: "codec", Arg: OptionalArg},
		{Name: "describe"},
		{Name: "members", With: []string{"describe"}},
		{Name: "n", Arg: RequiredArg},
		{Name: "need", Required: true, Arg: RequiredArg},
		HelpOption(),
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
			set, err := p.Parse(strings.Fields(c.args))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.given, set.given)
			require.Equal(t, c.words, set.Words)
		})
	}
}

func TestOptSetValues(t *testing.T) {
	set := &Set{given: map[string][]string{"a": {"1", "2"}, "b": {"x"}, "c": {"-7"}, "d": {"99999999999"}}}
	_, err := set.Text("a", "")
	require.EqualError(t, err, "Found multiple arguments for option a, but you asked for only one")
	_, err = set.Integer("b", 0, 32)
	require.EqualError(t, err, "Cannot parse argument 'x' of option b")
	_, err = set.Integer("d", 0, 32)
	require.EqualError(t, err, "Cannot parse argument '99999999999' of option d")
	n, err := set.Integer("c", 0, 32)
	require.NoError(t, err)
	require.Equal(t, int64(-7), n)
	n, err = set.Integer("none", 5, 32)
	require.NoError(t, err)
	require.Equal(t, int64(5), n)
}
