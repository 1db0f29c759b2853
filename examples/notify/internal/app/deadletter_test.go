package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/message"
)

func dial(t *testing.T, p *process) *delivery.Client {
	t.Helper()
	c, err := delivery.Dial([]string{p.at.Kafka})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// TestRedrive sends a dead letter again. The mail arrives once, and its status still
// has the earlier attempts.
func TestRedrive(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.flip(`{"mode":"5xx"}`)
	location := p.post("/api/emails", tutorialMail).header.Get("Location")
	p.await(location, message.StateDead)
	p.flip(`{"mode":"ok"}`)
	letters := dlt.Open(dial(t, p), message.TopicEmails+message.DeadLetterSuffix)
	require.Eventually(t, func() bool {
		n, err := letters.Count(t.Context(), dlt.Filter{})
		return err == nil && n.Open == 1
	}, patience, tick)
	task, err := letters.Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup(message.GroupEmails))
	require.NoError(t, err)
	require.Equal(t, 1, task.Sent)
	s := p.await(location, message.StateSent)
	require.Len(t, s.Attempts, 2)
	require.Equal(t, 2, s.Attempts[1].N)
	require.Len(t, p.messages(mailbox.KindMail), 1)
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.flip(`{"mode":"5xx"}`)
	location := p.post("/api/emails", tutorialMail).header.Get("Location")
	p.await(location, message.StateDead)
	letters := dlt.Open(dial(t, p), message.TopicEmails+message.DeadLetterSuffix)
	require.Eventually(t, func() bool {
		n, err := letters.Discard(t.Context(), dlt.Filter{}, "a test", "not wanted")
		return err == nil && n == 1
	}, patience, tick)
	p.await(location, message.StateDiscarded)
}

// TestForeignRecords reads records of other programs, without an ID. One of them is no
// mail at all.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dial(t, p)
	raw := delivery.NewTopic(message.TopicEmails, codec.Text())
	for _, value := range []string{tutorialMail, "not json"} {
		_, err := raw.Send(t.Context(), c, "", value, delivery.MessageID(""))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		return len(p.messages(mailbox.KindMail)) == 1 && len(p.messages(mailbox.KindDeadLetter)) == 1
	}, patience, tick)
	require.Contains(t, p.messages(mailbox.KindDeadLetter)[0].Subject, "decode")
	require.Contains(t, p.get("/api/emails?status=dead").body, "decode value")
}
