package load_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/internal/record"
)

// scripted is a broker that gives the prepared answers in turn, one connection only,
// and then closes it. It returns its address.
func scripted(t *testing.T, answers ...kmsg.Response) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for _, answer := range answers {
			var head [12]byte
			if _, err := io.ReadFull(conn, head[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:]))-8); err != nil {
				return
			}
			out := append(make([]byte, 4), head[8:]...)
			out = answer.AppendTo(out)
			binary.BigEndian.PutUint32(out, uint32(len(out)-4))
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}

// fetched is an answer with records of partition 0.
func fetched(highWatermark int64, records []byte) *kmsg.FetchResponse {
	part := kmsg.NewFetchResponseTopicPartition()
	part.HighWatermark, part.RecordBatches = highWatermark, records
	part.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{kmsg.NewFetchResponseTopicPartitionAbortedTransaction()}
	answer := kmsg.NewPtrFetchResponse()
	answer.Version = 11
	answer.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{part}}}
	return answer
}

// batch is a batch of n records from an offset on.
func batch(offset int64, n int) []byte {
	b := record.Build(time.Now().UnixMilli(), make([]record.KeyValue, n)...)
	b.SetBaseOffset(offset)
	return b
}

func TestRawConsumeOfAnswers(t *testing.T) {
	t.Parallel()
	two := append(batch(0, 2), batch(2, 3)...)
	refused := fetched(5, two)
	refused.Topics[0].Partitions[0].ErrorCode = kerr.NotLeaderForPartition.Code
	closed := fetched(5, nil)
	closed.ErrorCode = kerr.FetchSessionTopicIDError.Code
	old := batch(0, 5)
	old[16] = 1
	for name, c := range map[string]struct {
		answers []kmsg.Response
		failed  string
	}{
		"all at once":         {answers: []kmsg.Response{fetched(5, two)}},
		"cut in the records":  {answers: []kmsg.Response{fetched(5, two[:len(two)-1]), fetched(5, batch(2, 3))}},
		"cut in the header":   {answers: []kmsg.Response{fetched(5, two[:len(batch(0, 2))+20]), fetched(5, batch(2, 3))}},
		"offsets are missing": {answers: []kmsg.Response{fetched(5, batch(1, 4))}, failed: "batch of offsets 1 to 4 instead of 0"},
		"offsets come twice":  {answers: []kmsg.Response{fetched(5, append(batch(0, 2), batch(0, 2)...))}, failed: "batch of offsets 0 to 1 instead of 2"},
		"old batches":         {answers: []kmsg.Response{fetched(5, old)}, failed: "batch of offsets"},
		"too few records":     {answers: []kmsg.Response{fetched(4, batch(0, 4))}, failed: "the topic has 4 records instead of 5"},
		"no records":          {answers: []kmsg.Response{fetched(5, batch(0, 2)), fetched(5, nil)}, failed: "an answer has no records"},
		"partition's error":   {answers: []kmsg.Response{refused}, failed: "NOT_LEADER"},
		"answer's error":      {answers: []kmsg.Response{closed}, failed: "FETCH_SESSION"},
		"closed":              {answers: []kmsg.Response{fetched(5, batch(0, 2))}, failed: "read answer"},
	} {
		o := load.Defaults()
		o.Mode, o.Bootstrap, o.Topic, o.Partitions, o.Records = "raw-consume", scripted(t, c.answers...), "t", 1, 5
		r, err := load.Run(t.Context(), o)
		if c.failed == "" {
			require.NoError(t, err, name)
			require.InDelta(t, 5, r[load.Records], 0, name)
		} else {
			require.ErrorContains(t, err, c.failed, name)
		}
	}
}

func TestRawProduceOfAnswers(t *testing.T) {
	t.Parallel()
	answered := func(code int16, partitions int) kmsg.Response {
		topic := kmsg.NewProduceResponseTopic()
		for range partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.ErrorCode = code
			topic.Partitions = append(topic.Partitions, part)
		}
		answer := kmsg.NewPtrProduceResponse()
		answer.Version, answer.Topics = 8, []kmsg.ProduceResponseTopic{topic}
		return answer
	}
	for name, c := range map[string]struct {
		answers []kmsg.Response
		failed  string
	}{
		"stored":     {answers: []kmsg.Response{answered(0, 1), answered(0, 1)}},
		"the last":   {answers: []kmsg.Response{answered(0, 1), answered(kerr.NotEnoughReplicas.Code, 1)}, failed: "NOT_ENOUGH_REPLICAS"},
		"not all":    {answers: []kmsg.Response{answered(0, 1), answered(0, 0)}, failed: "0 of 1 batches were answered"},
		"closed":     {answers: []kmsg.Response{answered(0, 1)}, failed: "read answer"},
		"another's":  {answers: []kmsg.Response{answered(0, 1), fetched(1, nil)}, failed: "bytes"},
		"ends early": {answers: []kmsg.Response{answered(0, 1), kmsg.NewPtrSyncGroupResponse()}, failed: "the answer ends"},
	} {
		o := load.Defaults()
		o.Mode, o.Bootstrap, o.Partitions, o.Records, o.Size, o.Batch, o.Fresh = "raw-produce", scripted(t, c.answers...), 1, 15, 1000, 10_500, false
		r, err := load.Run(t.Context(), o)
		if c.failed == "" {
			require.NoError(t, err, name)
			require.InDelta(t, 15, r[load.Records], 0, name)
		} else {
			require.ErrorContains(t, err, c.failed, name)
		}
	}
}
