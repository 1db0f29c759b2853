package status_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/examples/notify/internal/status"
	"github.com/botehq/bote/examples/notify/message"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func mail(id string, offset int64) *kgo.Record {
	return &kgo.Record{
		Topic: message.TopicEmails, Offset: offset, Timestamp: noon.Add(time.Duration(offset) * time.Second),
		Headers: []kgo.RecordHeader{{Key: delivery.HeaderMessageID, Value: []byte(id)}},
	}
}

func event(t *testing.T, id string, state message.State, version int) *kgo.Record {
	t.Helper()
	data, err := json.Marshal(message.Status{ID: id, Kind: message.KindEmail, State: state, Version: version, AcceptedAt: noon})
	require.NoError(t, err)
	return &kgo.Record{Topic: message.TopicStatus, Key: []byte(id), Value: data}
}

func state(t *testing.T, v *status.View, id string) message.State {
	t.Helper()
	s, known := v.Get(id)
	require.True(t, known)
	return s.State
}

// TestOrderDoesNotMatter reads the topics in either order, because they are read in
// parallel.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	records := []*kgo.Record{mail("1", 0), event(t, "1", message.StateSending, 1), event(t, "1", message.StateSent, 2)}
	forward, backward := status.NewView(), status.NewView()
	for i := range records {
		forward.Read(records[i])
		backward.Read(records[len(records)-1-i])
	}
	require.Equal(t, message.StateSent, state(t, forward, "1"))
	require.Equal(t, message.StateSent, state(t, backward, "1"))
}

func TestRecordWithoutIDIsKnownByItsPlace(t *testing.T) {
	t.Parallel()
	v := status.NewView()
	v.Read(&kgo.Record{Topic: message.TopicSMS, Partition: 2, Offset: 7, Timestamp: noon})
	v.Read(&kgo.Record{Topic: message.TopicOrders, Offset: 3, Timestamp: noon, Value: []byte(`{"orderId":"o-1","amount":5}`)})
	require.Equal(t, message.StateAccepted, state(t, v, "sms.send-2-7"))
	o, _, known := v.Order("o-1")
	require.True(t, known)
	require.EqualValues(t, 5, o.Amount)
}

func TestGarbageChangesNothing(t *testing.T) {
	t.Parallel()
	v := status.NewView()
	v.Read(mail("1", 0))
	v.Read(&kgo.Record{Topic: message.TopicStatus, Key: []byte("1"), Value: []byte("{")})
	v.Read(&kgo.Record{Topic: message.TopicStatus, Key: []byte("1")})
	v.Read(&kgo.Record{Topic: message.TopicOrders, Value: []byte("{")})
	v.Read(&kgo.Record{Topic: "email.send.dlt-bote-state", Key: []byte("?"), Value: []byte("{")})
	v.Read(&kgo.Record{Topic: "other"})
	require.Equal(t, message.StateAccepted, state(t, v, "1"))
}

// TestDiscarded sees a note before and after the dead letter it is about.
func TestDiscarded(t *testing.T) {
	t.Parallel()
	note, err := json.Marshal(dlt.State{Action: dlt.ActionDiscarded})
	require.NoError(t, err)
	discard := &kgo.Record{Topic: "email.send.dlt-bote-state", Key: []byte(dlt.Place{Offset: 4}.String()), Value: note}
	letter := mail("1", 4)
	letter.Topic = "email.send.dlt"
	for name, records := range map[string][]*kgo.Record{"note last": {letter, discard}, "note first": {discard, letter}} {
		v := status.NewView()
		v.Read(mail("1", 0))
		v.Read(event(t, "1", message.StateDead, 2))
		for _, r := range records {
			v.Read(r)
		}
		require.Equal(t, message.StateDiscarded, state(t, v, "1"), name)
		v.Read(event(t, "1", message.StateSent, 4))
		require.Equal(t, message.StateSent, state(t, v, "1"), "it was redriven after all")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	v := status.NewView()
	for i := range 5 {
		v.Read(mail(strconv.Itoa(i), int64(i)))
	}
	var seen []string
	cursor := ""
	for {
		page, next, err := v.List(message.KindEmail, message.StateAccepted, cursor, 2)
		require.NoError(t, err)
		for _, s := range page {
			seen = append(seen, s.ID)
		}
		if cursor = next; cursor == "" {
			break
		}
		v.Read(mail("later", 100)) // a page does not shift under the reader
	}
	require.Equal(t, []string{"4", "3", "2", "1", "0"}, seen)
	_, _, err := v.List(message.KindEmail, "", "no cursor", 2)
	require.ErrorIs(t, err, status.ErrCursor)
	page, _, err := v.List(message.KindSMS, "", "", 2)
	require.NoError(t, err)
	require.Empty(t, page)
}

// TestSlowSubscriber: a slow subscriber misses the oldest changes and gets the newest.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	v := status.NewView()
	one, all := v.Subscribe("1"), v.Subscribe("")
	for version := 1; version <= 200; version++ {
		v.Read(event(t, "1", message.StateSending, version))
	}
	v.Read(event(t, "2", message.StateSent, 1))
	one.Close()
	v.Read(event(t, "1", message.StateSent, 300))
	last := func(s *status.Subscription) (got message.Status) {
		for len(s.C()) > 0 {
			got = <-s.C()
		}
		return got
	}
	require.Equal(t, 200, last(one).Version)
	require.Equal(t, 300, last(all).Version)
	all.Close()
}
