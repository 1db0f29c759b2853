package console

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/tool"
)

func format(t *testing.T, class string, settings tool.Properties, recs ...*kgo.Record) (string, error) {
	t.Helper()
	f, ok := newFormatter(&tool.Streams{Out: io.Discard, Err: io.Discard}, class, settings)
	require.True(t, ok)
	var b bytes.Buffer
	var err error
	for _, rec := range recs {
		err = errors.Join(err, f.write(&b, rec))
	}
	return b.String(), err
}

func TestDefaultFormatter(t *testing.T) {
	rec := &kgo.Record{
		Partition: 2, Offset: 42, Timestamp: time.UnixMilli(1700000000000), Key: []byte("k"), Value: []byte("v"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
	all := tool.Properties{"print.timestamp": "true", "print.partition": "true", "print.offset": "true", "print.delivery": "true", "print.epoch": "true", "print.headers": "true", "print.key": "true"}
	for name, c := range map[string]struct {
		settings tool.Properties
		want     string
	}{
		"value":      {tool.Properties{}, "v\n"},
		"all":        {all, "CreateTime:1700000000000\tPartition:2\tOffset:42\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\ta:1,b:null\tk\tv\n"},
		"separators": {tool.Properties{"print.key": "true", "key.separator": " | ", "line.separator": ";"}, "k | v;"},
		"no value":   {tool.Properties{"print.value": "false", "print.key": "true"}, "k\n"},
		"not true":   {tool.Properties{"print.key": "yes"}, "v\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := format(t, classDefaultFormatter, c.settings, rec)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	got, err := format(t, classDefaultFormatter, tool.Properties{"print.key": "true", "print.headers": "true", "null.literal": "NIL"}, &kgo.Record{})
	require.NoError(t, err)
	require.Equal(t, "NO_HEADERS\tNIL\tNIL\n", got)
}

func TestCoordinatorFormatters(t *testing.T) {
	key := kmsg.OffsetCommitKey{Version: 1, Group: "g<", Topic: "t", Partition: 3}
	value := kmsg.OffsetCommitValue{Version: 3, Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitTimestamp: 7}
	got, err := format(t, classOffsetsFormatter, nil,
		&kgo.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)},
		&kgo.Record{Key: key.AppendTo(nil)},
		&kgo.Record{Key: []byte{0, 2}, Value: []byte{1}})
	require.NoError(t, err)
	want := `{"key":{"type":1,"data":{"group":"g<","topic":"t","partition":3}},"value":{"version":3,"data":{"offset":5,"leaderEpoch":-1,"metadata":"m","commitTimestamp":7}}}` +
		`{"key":{"type":1,"data":{"group":"g<","topic":"t","partition":3}},"value":null}`
	require.Equal(t, want, got)

	value.Version = 4
	for id, tail := range map[[16]byte]string{{}: `}}}`, {0xfb, 15: 1}: `,"topicId":"-wAAAAAAAAAAAAAAAAAAAQ"}}}`} {
		value.TopicID = id
		got, err = format(t, classOffsetsFormatter, nil, &kgo.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
		require.NoError(t, err)
		require.Equal(t, `{"key":{"type":1,"data":{"group":"g<","topic":"t","partition":3}},"value":{"version":4,"data":{"offset":5,"leaderEpoch":-1,"metadata":"m","commitTimestamp":7`+tail, got)
	}
	_, err = format(t, classOffsetsFormatter, nil, &kgo.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)[:20]})
	require.Error(t, err)
}
