package delivery

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// FuzzHeaders: whatever other programs put into the headers of a retried or dead
// record, the values read from them make sense. Attempts are at least 1, a due time
// is never further ahead than the chain allows, and a record's origin has a topic.
func FuzzHeaders(f *testing.F) {
	f.Add(HeaderAttempts, []byte{0, 0, 0, 3}, HeaderBackOffTimestamp, encodeMillis(1_700_000_000_000), []byte("v"))
	f.Add(prefixDLT+tailTopic, []byte("t"), prefixDLT+tailOffset, int64Bytes(7), []byte("v"))
	f.Add(prefixRetry+tailFQCN, []byte(springDecode), "__TypeId__", []byte("[B"), []byte(`"YWJj"`))
	f.Add(prefixDLT+keyPart+tailFQCN, []byte(springWrapper), prefixDLT+tailCause, []byte("c"), []byte(`"`))
	now := time.UnixMilli(1_700_000_000_000)
	f.Fuzz(func(t *testing.T, name1 string, value1 []byte, name2 string, value2, body []byte) {
		r := &kgo.Record{Topic: "own", Value: body, Key: value2, Headers: []kgo.RecordHeader{{Key: name1, Value: value1}, {Key: name2, Value: value2}}}
		h := Headers(r.Headers)
		n := readAttempts(h)
		require.True(t, n >= 1 && n <= math.MaxInt16)
		for _, maxAhead := range []time.Duration{minAhead, 1000 * time.Hour} {
			due, garbage := readDue(h, now, maxAhead)
			require.False(t, due.After(now.Add(maxAhead)))
			require.True(t, !garbage || due.Equal(now))
		}
		if ms := readOriginalTimestamp(h, 42); ms != 42 {
			again, ok := decodeMillis(encodeMillis(ms))
			require.True(t, ok)
			require.Equal(t, ms, again)
		}
		ReadOrigin(r)
		if failure := ReadFailure(h); failure != nil {
			require.NotEmpty(t, failure.Class)
		}
		key, value, restored := RestoreBytes(r)
		if !restored {
			require.Equal(t, r.Key, key)
			require.Equal(t, r.Value, value)
		}
		require.LessOrEqual(t, len(cutText(string(body), 10)), 10)
	})
}
