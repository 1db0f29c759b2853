package api

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/topic"
)

// fetchOf returns a fetch of n partitions, starting at from.
func fetchOf(id, epoch, from, n int32) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.SessionID, q.SessionEpoch = 12, id, epoch
	qt := kmsg.NewFetchRequestTopic()
	qt.Topic = "t"
	for i := range n {
		qp := kmsg.NewFetchRequestTopicPartition()
		qp.Partition = from + i
		qt.Partitions = append(qt.Partitions, qp)
	}
	q.Topics = append(q.Topics, qt)
	return q
}

// begun begins a fetch and returns it. If the fetch has a session, begun gives the session
// back.
func begun(t *testing.T, c *sessions, q *kmsg.FetchRequest) *fetch {
	t.Helper()
	f := &fetch{}
	require.NoError(t, c.begin(f, q))
	if f.session != nil {
		c.end(f)
	}
	return f
}

// TestSessionsAreBoundedInPartitions: a session may be large if the others are small.
// If there is no room for a new session, or for a session to grow, there is no
// session: the client names all partitions in each fetch.
func TestSessionsAreBoundedInPartitions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const room = 4 * sessionShare
	c := newSessions(4, func() time.Time { return now })
	large := begun(t, c, fetchOf(0, newSession, 0, room-10))
	require.NotZero(t, large.id)
	refused := begun(t, c, fetchOf(0, newSession, 0, 11))
	require.Zero(t, refused.id)
	require.Len(t, refused.parts, 11)
	small := begun(t, c, fetchOf(0, newSession, 0, 5))
	require.NotZero(t, small.id)

	grown := begun(t, c, fetchOf(small.id, 1, 100, 5))
	require.Len(t, grown.parts, 10)
	require.Equal(t, room, c.heldPartitions)
	require.Len(t, begun(t, c, fetchOf(small.id, 2, 100, 5)).parts, 10, "nothing is added")
	require.ErrorIs(t, c.begin(&fetch{}, fetchOf(small.id, 3, 200, 1)), kerr.FetchSessionIDNotFound)
	require.Equal(t, room-10, c.heldPartitions, "a session that cannot grow is gone")

	now = now.Add(sessionStale + 1)
	require.NotZero(t, begun(t, c, fetchOf(0, newSession, 0, room)).id, "what is stale makes room")
	require.Equal(t, room, c.heldPartitions)
	require.Len(t, c.byID, 1)
	c.drop(large.id)
	require.Equal(t, room, c.heldPartitions)
}

// TestSessionsKeepNamesOfTopicsOnly: a name that no topic can have may be of any
// length. A client that uses such a name gets no session, or loses the one it has.
func TestSessionsKeepNamesOfTopicsOnly(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", topic.MaxNameLength)
	for _, name := range []string{"", "..", "a b", long + "n", strings.Repeat("n", 4<<20)} {
		c := newSessions(4, nil)
		bad := fetchOf(0, newSession, 0, 2)
		bad.Topics[0].Topic = name
		f := begun(t, c, bad)
		require.Zero(t, f.id)
		require.True(t, f.full)
		require.Len(t, f.parts, 2)
		require.Zero(t, c.heldPartitions)
		require.Empty(t, c.byID)

		good := fetchOf(0, newSession, 0, 2)
		good.Topics[0].Topic = long
		id := begun(t, c, good).id
		require.NotZero(t, id)
		nothing := fetchOf(id, 1, 0, 0)
		nothing.Topics[0].Topic = name
		require.Len(t, begun(t, c, nothing).parts, 2, "no partition, no name")
		bad.SessionID, bad.SessionEpoch = id, 2
		require.ErrorIs(t, c.begin(&fetch{}, bad), kerr.FetchSessionIDNotFound)
		require.Zero(t, c.heldPartitions)
		require.Empty(t, c.byID)
	}
	byID := fetchOf(0, newSession, 0, 2)
	byID.Version, byID.Topics[0].Topic, byID.Topics[0].TopicID = 13, "", topic.NewID()
	require.NotZero(t, begun(t, newSessions(4, nil), byID).id)
}

// TestServedPartitionsGoLast: partitions that had records go to the end, whether
// their records come from memory or from a file.
func TestServedPartitionsGoLast(t *testing.T) {
	t.Parallel()
	c := newSessions(4, nil)
	id := begun(t, c, fetchOf(0, newSession, 0, 3)).id
	f := &fetch{}
	require.NoError(t, c.begin(f, fetchOf(id, 1, 0, 0)))
	f.parts[0].read.Size = 10 // records from a file
	f.parts[1].read.Data = []byte{1}
	c.end(f)
	next := begun(t, c, fetchOf(id, 2, 0, 0))
	require.Equal(t, []int32{2, 0, 1}, []int32{next.parts[0].index, next.parts[1].index, next.parts[2].index})
}
