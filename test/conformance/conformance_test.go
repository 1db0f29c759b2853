package main

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/botetest"
)

// exception is a line of testdata/exceptions.txt: cases that this broker does not
// pass, and why.
type exception struct {
	pattern *regexp.Regexp
	reason  string
}

func exceptions(t *testing.T) []exception {
	t.Helper()
	f, err := os.Open("testdata/exceptions.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var out []exception
	for in := bufio.NewScanner(f); in.Scan(); {
		pattern, reason, ok := strings.Cut(in.Text(), "\t")
		if strings.HasPrefix(pattern, "#") || pattern == "" {
			continue
		}
		require.True(t, ok, "a pattern, a tab, a reason: %q", in.Text())
		out = append(out, exception{regexp.MustCompile("^(?:" + pattern + ")$"), strings.TrimSpace(reason)})
	}
	return out
}

// TestBroker runs every case against a broker in this process, except those in
// testdata/exceptions.txt. Cases that wait for timeouts run only with
// BOTE_COMPAT=1.
func TestBroker(t *testing.T) {
	b := botetest.New(t, botetest.WithProperty("offsets.topic.ids.enable", "true"))
	flags = Flags{Bootstrap: b.Addr(), Golden: "testdata/apiversions.json", Slow: os.Getenv("BOTE_COMPAT") != ""}
	excepted := exceptions(t)
	cases, err := selectCases("", "^(sasl|acl)/") // these need a listener and an authorizer of their own
	require.NoError(t, err)
	var run []Case
	for _, c := range cases {
		skip := false
		for _, e := range excepted {
			skip = skip || e.pattern.MatchString(c.ID)
		}
		if !skip {
			run = append(run, c)
		}
	}
	require.Greater(t, len(run), 400)
	groups := map[string][2]int{}
	for i, r := range runAll(run, 12) {
		group, _, _ := strings.Cut(run[i].ID, "/")
		n := groups[group]
		switch r.Status {
		case "FAIL":
			t.Errorf("%s: %s\n%s", run[i].ID, run[i].Says, strings.Join(r.Details, "\n"))
			n[1]++
		case "PASS":
			n[0]++
		}
		groups[group] = n
	}
	for group, n := range groups {
		t.Logf("%s: %d passed, %d failed", group, n[0], n[1])
	}
}
