package dlt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// bench is a broker with three dead letters in orders-dlt.
func bench(t *testing.T) (run func(args ...string) (code int, out, errs string), h *deliverytest.Harness) {
	t.Helper()
	h = deliverytest.New(t)
	orders := delivery.NewTopic("orders", codec.Text())
	l, err := delivery.Listen(h.Client(), orders, "mail", func(_ context.Context, m *delivery.Message[string]) error {
		if m.Value == "bad" {
			return delivery.Permanent(errors.New("no such address"))
		}
		return errors.New("smtp is down")
	}, delivery.BlockingRetry(delivery.Attempts(1)))
	require.NoError(t, err)
	h.Start(l)
	for _, v := range []string{"a", "bad", "b"} {
		h.Publish(orders, "k-"+v, v)
	}
	h.ExpectDeadLetter("orders-dlt", 3)
	require.NoError(t, h.Stop(l))
	servers := strings.Join(h.Cluster().ListenAddrs(), ",")
	return func(args ...string) (int, string, string) {
		return clitest.VerbOutput(t.Context(), NewCommand, append([]string{"--bootstrap-server", servers}, args...)...)
	}, h
}

func TestDLTListAndCount(t *testing.T) {
	run, _ := bench(t)
	code, out, errs := run("ls")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Regexp(t, `(?s)^TOPIC +OPEN +REDRIVEN +DISCARDED +OLDEST\norders-dlt +3 +0 +0 +\d{4}-.*Z\n$`, out)

	code, out, errs = run("ls", "orders-dlt", "--class", "permanent")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 2)
	require.Regexp(t, `0:1 .* mail +orders-0@1 +permanent +errors.errorString +- +k-bad +no such address`, out)

	code, out, _ = run("ls", "orders-dlt", "--limit", "2", "-o", "json")
	require.Equal(t, tool.ExitOK, code)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	var letter letterJSON
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &letter))
	require.Equal(t, "bad", *letter.Value)
	require.Equal(t, "permanent", letter.Failure.Reason)
	require.Equal(t, int64(1), letter.Origin.Offset)

	code, out, _ = run("count", "orders-dlt")
	require.Equal(t, tool.ExitOK, code)
	require.Regexp(t, `reason +exhausted +2\nreason +permanent +1\n`, out)
	require.Regexp(t, `group +mail +3\n`, out)
}

func TestDLTShow(t *testing.T) {
	run, _ := bench(t)
	code, out, errs := run("show", "orders-dlt", "0:1")
	require.Equal(t, tool.ExitOK, code, errs)
	for _, want := range []string{"message:   no such address", "value:     bad", "key:       k-bad", "group:     mail", "kafka_dlt-original-topic: orders", "kafka_dlt-original-partition: 0\n", "kafka_dlt-original-offset: 1\n", "kafka_dlt-original-timestamp: 20"} {
		require.Contains(t, out, want)
	}
	code, out, errs = run("show", "orders-dlt", "0:99")
	require.Equal(t, tool.ExitError, code)
	require.Empty(t, out)
	require.Contains(t, errs, "no such dead letter")
}

func TestDLTRedriveAndDiscard(t *testing.T) {
	run, h := bench(t)
	code, _, errs := run("redrive", "orders-dlt", "--to-origin")
	require.Equal(t, tool.ExitError, code)
	require.Contains(t, errs, "no records selected")
	code, _, errs = run("redrive", "orders-dlt", "--everything")
	require.Equal(t, tool.ExitError, code)
	require.Contains(t, errs, "no destination: --to-group GROUP")

	code, out, _ := run("redrive", "orders-dlt", "--to-origin", "--class", "exhausted", "--dry-run")
	require.Equal(t, tool.ExitOK, code)
	require.Equal(t, "would send back 2 to orders; 0 parked (limit: 3 redrives)\n", out)
	h.ExpectRecords("orders", 3)

	code, out, errs = run("redrive", "orders-dlt", "--to-origin", "--class", "exhausted", "-o", "json")
	require.Equal(t, tool.ExitOK, code, errs)
	var task map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &task))
	require.InDelta(t, 2, task["sent"], 0)
	h.ExpectRecords("orders", 5)

	code, out, _ = run("discard", "orders-dlt", "--at", "0:1", "--reason", "typo")
	require.Equal(t, tool.ExitOK, code)
	require.Equal(t, "discarded 1\n", out)
	_, out, _ = run("ls", "orders-dlt")
	require.NotContains(t, out, "orders-0@")
	_, out, _ = run("show", "orders-dlt", "0:1")
	require.Regexp(t, `state: +discarded .* typo`, out)
	_, out, _ = run("ls", "orders-dlt", "--all")
	require.Equal(t, 3, strings.Count(out, "orders-0@"))
}

// TestDLTRedriveToGroup redrives to a group, and checks the errors of wrong command lines.
func TestDLTRedriveToGroup(t *testing.T) {
	run, _ := bench(t)
	for _, words := range [][]string{{"--dry-run"}, nil} {
		code, out, errs := run(append([]string{"redrive", "orders-dlt", "--to-group", "mial", "--everything"}, words...)...)
		require.Equal(t, tool.ExitError, code)
		require.Empty(t, out)
		require.Equal(t, "Error: redrive: mial: no such consumer group; bote dlt count orders-dlt shows the groups of its records. "+
			"Use --force-group for a group that does not exist yet\n", errs)
	}
	code, out, errs := run("redrive", "orders-dlt", "--to-group", "stats", "--force-group", "--everything")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 0; 0 parked (limit: 3 redrives); 0 failed again so far\n"+
		"3 records of other groups were not selected; --group '*' selects them too\n", out)
	code, out, errs = run("redrive", "orders-dlt", "--to-group", "mail", "--class", "exhausted")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 2 to orders; 0 parked (limit: 3 redrives); 0 failed again so far\n", out)
	code, out, errs = run("redrive", "orders-dlt", "--to-group", "mail", "--group", "*", "--everything", "--max-redrives", "0")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 0; 1 parked (limit: 0 redrives); 0 failed again so far\n", out)

	for _, words := range [][]string{{"ls", "nosuch"}, {"count", "nosuch"}, {"show", "nosuch", "0:1"}, {"redrive", "nosuch", "--to-origin", "--everything"}, {"discard", "nosuch", "--everything"}} {
		code, out, errs = run(words...)
		require.Equal(t, tool.ExitError, code)
		require.Empty(t, out)
		require.Equal(t, "Error: topic nosuch does not exist; bote dlt ls lists the dead-letter topics\n", errs, words[0])
	}
	_, topics, _ := run("ls")
	require.NotContains(t, topics, "nosuch")
}

// TestDLTOfTheWrongTopic: a misspelt topic is reported before missing flags, and a main topic does not stand for its
// dead-letter topic.
func TestDLTOfTheWrongTopic(t *testing.T) {
	run, h := bench(t)
	for _, words := range [][]string{
		{"ls", "orders"},
		{"count", "orders"},
		{"show", "orders", "0:0"},
		{"discard", "orders", "--at", "0:0"},
		{"discard", "orders"},
		{"redrive", "orders", "--to-group", "mail", "--everything", "--dry-run"},
	} {
		code, out, errs := run(words...)
		require.Equal(t, tool.ExitError, code, words)
		require.Empty(t, out)
		require.Equal(t, "Error: orders holds no dead letters; did you mean orders-dlt?\n", errs, words)
	}
	require.Nil(t, h.Cluster().TopicInfo("orders-bote-state"))
	_, _, errs := run("redrive", "orders-dlt", "--to-group", "mial")
	require.Contains(t, errs, "mial: no such consumer group")
	_, _, errs = run("redrive", "nosuch", "--to-group", "mail")
	require.Equal(t, "Error: topic nosuch does not exist; bote dlt ls lists the dead-letter topics\n", errs)
	_, _, errs = run("redrive", "orders-dlt", "--to-group", "mail")
	require.Contains(t, errs, "no records selected")
}

// TestDLTOfAnyName: a topic of any name may hold dead letters, even if there is also a topic with that name and "-dlt".
func TestDLTOfAnyName(t *testing.T) {
	run, h := bench(t)
	h.CreateTopic("orders-dlt-dlt", 1)
	code, out, errs := run("ls", "orders-dlt")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, 3, strings.Count(out, "orders-0@"))
}

// TestDLTOfPlaces: a place without a letter, or with a letter that is done, is not a success.
func TestDLTOfPlaces(t *testing.T) {
	run, h := bench(t)
	for _, verb := range [][]string{{"redrive", "orders-dlt", "--to-origin"}, {"discard", "orders-dlt"}} {
		code, out, errs := run(append(verb, "--at", "0:77")...)
		require.Equal(t, tool.ExitError, code)
		require.Empty(t, out)
		require.Equal(t, "Error: orders-dlt at 0:77: no such dead letter\n", errs)
	}
	code, out, errs := run("redrive", "orders-dlt", "--to-origin", "--at", "0:0", "--at", "0:77")
	require.Equal(t, tool.ExitError, code)
	require.Contains(t, out, "sent back 1 to orders;")
	require.Equal(t, "Error: orders-dlt at 0:77: no such dead letter\n", errs)
	for _, verb := range [][]string{{"redrive", "orders-dlt", "--to-origin"}, {"discard", "orders-dlt"}} {
		code, out, errs = run(append(verb, "--at", "0:0")...)
		require.Equal(t, tool.ExitOK, code, "what a run before did is skipped")
		require.Contains(t, out, " 0; none of the selected dead letters is open\n")
		require.Regexp(t, `^0:0 was redriven at 20.*; use --all to include it again\n$`, errs)
		code, out, _ = run(append(verb, "--at", "0:0", "-o", "json")...)
		require.Equal(t, tool.ExitOK, code)
		require.True(t, json.Valid([]byte(out)), out)
	}
	h.ExpectRecords("orders", 4)
	code, _, errs = run("redrive", "orders-dlt", "--to-origin", "--at", "0:0", "--all")
	require.Equal(t, tool.ExitOK, code, errs)
	code, out, errs = run("discard", "orders-dlt", "--everything")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "discarded 2\n", out)
	_, out, _ = run("show", "orders-dlt", "0:1")
	require.Regexp(t, `state: +discarded at 20\S+Z by \S+\n`, out)
	code, out, errs = run("discard", "orders-dlt", "--everything")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "discarded 0; orders-dlt has no open dead letters\n", out)
	code, out, errs = run("redrive", "orders-dlt", "--to-origin", "--everything")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 0; orders-dlt has no open dead letters\n", out)
	code, out, errs = run("redrive", "orders-dlt", "--to-origin", "--class", "exhausted")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 0; no open dead letters match\n", out)
	for _, c := range [][]string{{"--at needs", "discard", "orders-dlt", "--at", "0:x"}, {"show needs", "show", "orders-dlt", "0:x"}} {
		code, _, errs = run(c[1:]...)
		require.Equal(t, tool.ExitError, code)
		require.Contains(t, errs, "Error: "+c[0]+` PARTITION:OFFSET, not "0:x"`)
	}
}

// TestDLTOfAnOrdinaryTopic: records without the headers of a dead letter are shown with a warning.
func TestDLTOfAnOrdinaryTopic(t *testing.T) {
	run, h := bench(t)
	hello := delivery.NewTopic("hello", codec.Text())
	h.CreateTopic("hello", 1)
	code, out, errs := run("redrive", "hello", "--to-topic", "other", "--everything")
	require.Equal(t, tool.ExitOK, code, errs)
	require.Equal(t, "sent back 0; hello has no open dead letters\n", out)
	h.Publish(hello, "", "one")
	h.Publish(hello, "", "two")
	for _, words := range [][]string{{"ls", "hello"}, {"count", "hello"}, {"count", "hello", "-o", "json"}} {
		code, out, errs = run(words...)
		require.Equal(t, tool.ExitOK, code, words)
		require.NotEmpty(t, out)
		require.Equal(t, "Warning: 2 of 2 records have no dead-letter headers: is hello a dead-letter topic?\n", errs, words)
	}
	code, out, errs = run("show", "hello", "0:0")
	require.Equal(t, tool.ExitOK, code)
	require.Contains(t, out, "value:     one")
	require.Equal(t, "Warning: the record has no dead-letter headers: is hello a dead-letter topic?\n", errs)
	for _, words := range [][]string{{"ls", "orders-dlt"}, {"count", "orders-dlt"}, {"show", "orders-dlt", "0:0"}} {
		_, _, errs = run(words...)
		require.Empty(t, errs, words)
	}
}

// TestDLTWithoutABroker: without a broker, the error says what to do.
func TestDLTWithoutABroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	code, _, errs := clitest.VerbOutput(t.Context(), NewCommand, "ls", "-b", addr)
	require.Equal(t, tool.ExitError, code)
	require.Contains(t, errs, "Is a broker running at")
	require.Equal(t, 1, strings.Count(errs, "\n"), errs)
}

// TestDLTRedriveInterrupted: an interrupted redrive prints what it did, and nothing else.
func TestDLTRedriveInterrupted(t *testing.T) {
	_, h := bench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var out, errs bytes.Buffer
	code := make(chan int)
	go func() {
		s := clitest.NewStreams(strings.NewReader(""), &out, &errs)
		code <- verb.Run(ctx, s, NewCommand(s), []string{"redrive", "orders-dlt", "--to-origin", "--everything", "--rate", "0.001", "-b", strings.Join(h.Cluster().ListenAddrs(), ",")})
	}()
	require.Eventually(t, func() bool {
		p := h.Cluster().PartitionInfos("orders-dlt-bote-state")
		return len(p) == 1 && p[0].HighWatermark >= 2 // the claim, and the note about the first record
	}, 20*time.Second, 5*time.Millisecond)
	cancel(errors.New("interrupt signal received"))
	require.Equal(t, tool.ExitInterrupted, <-code)
	require.Contains(t, out.String(), "sent back 1 to orders;")
	require.Empty(t, errs.String())
}
