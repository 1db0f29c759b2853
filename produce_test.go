package bote_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/internal/record"
)

// batchOf packs records as a client would, with the given max timestamp in the header.
func batchOf(t *testing.T, c record.Codec, maxTimestamp int64, records ...kmsg.Record) record.Batch {
	t.Helper()
	const base = 1_700_000_000_000
	var p []byte
	for i, r := range records {
		r.OffsetDelta = int32(i)
		body := r.AppendTo(nil)[1:]
		p = append(binary.AppendVarint(p, int64(len(body))), body...)
	}
	b, err := record.Recode(record.Build(base, make([]record.KeyValue, len(records))...), p, c, 1)
	require.NoError(t, err)
	b.SetTimestamps(false, maxTimestamp)
	return b
}

// createTopic makes a topic of one partition and returns its ID.
func createTopic(t *testing.T, client *kgo.Client, name string, configs map[string]string) kadm.TopicID {
	t.Helper()
	values := make(map[string]*string, len(configs))
	for k, v := range configs {
		values[k] = &v
	}
	resp, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, values, name)
	require.NoError(t, err)
	return resp.ID
}

func send(t *testing.T, client *kgo.Client, id kadm.TopicID, b record.Batch) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1
	qt := kmsg.NewProduceRequestTopic()
	qt.TopicID = id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = b
	qt.Partitions = append(qt.Partitions, p)
	req.Topics = append(req.Topics, qt)
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return resp.Topics[0].Partitions[0]
}

// readFirst reads the first batch of a topic.
func readFirst(t *testing.T, client *kgo.Client, id kadm.TopicID) record.Batch {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes, req.MaxBytes = -1, 1, 1<<20
	qt := kmsg.NewFetchRequestTopic()
	qt.TopicID = id
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1<<20, -1
	qt.Partitions = append(qt.Partitions, p)
	req.Topics = append(req.Topics, qt)
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	b, _, err := record.Split(resp.Topics[0].Partitions[0].RecordBatches)
	require.NoError(t, err)
	return b
}

// TestMaxTimestampOfCompressedRecords: clients leave the max timestamp of a compressed
// batch at -1, or give one that is too low. Lookups by time still find the records,
// and bounds on timestamps are enforced.
func TestMaxTimestampOfCompressedRecords(t *testing.T) {
	t.Parallel()
	client := connect(t)
	base := time.UnixMilli(1_700_000_000_000)
	var records []kmsg.Record
	for i := range 5 {
		records = append(records, kmsg.Record{Value: []byte("v"), TimestampDelta64: int64(i) * 60_000})
	}
	for _, c := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		for _, said := range []int64{-1, 0, base.UnixMilli()} {
			name := fmt.Sprintf("%s%d", c, said)
			id := createTopic(t, client, name, nil)
			require.Zero(t, send(t, client, id, batchOf(t, c, said, records...)).ErrorCode)
			for i, want := range []int64{0, 1, 2, 3, 4, -1} {
				listed, err := kadm.NewClient(client).ListOffsetsAfterMilli(t.Context(), base.Add(time.Duration(i)*time.Minute).UnixMilli(), name)
				require.NoError(t, err)
				found, ok := listed.Lookup(name, 0)
				require.True(t, ok)
				if want < 0 { // the client then asks for the end
					want = 5
				}
				require.Equal(t, want, found.Offset, "%s: minute %d", name, i)
			}
		}
		id := createTopic(t, client, "bound-"+c.String(), map[string]string{"message.timestamp.after.max.ms": "60000"})
		late := kmsg.Record{TimestampDelta64: time.Until(base).Milliseconds()*-1 + 3_600_000}
		require.Equal(t, kerr.InvalidTimestamp.Code, send(t, client, id, batchOf(t, c, -1, late)).ErrorCode)
	}
}

// TestRecordErrorsOfAnAnswer: the answer names each faulty record once, in order, each
// with its own text.
func TestRecordErrorsOfAnAnswer(t *testing.T) {
	t.Parallel()
	client := connect(t)
	id := createTopic(t, client, "mixed", map[string]string{"cleanup.policy": "compact", "message.timestamp.before.max.ms": "1000"})
	sinceBase := time.Since(time.UnixMilli(1_700_000_000_000)).Milliseconds() + 60_000
	key := []byte("k")
	p := send(t, client, id, batchOf(t, record.Zstd, -1,
		kmsg.Record{Key: key}, kmsg.Record{TimestampDelta64: sinceBase}, kmsg.Record{Key: key, TimestampDelta64: sinceBase}, kmsg.Record{}))
	require.Equal(t, kerr.InvalidTimestamp.Code, p.ErrorCode)
	require.Equal(t, "One or more records have been rejected due to invalid timestamp", *p.ErrorMessage)
	require.Zero(t, p.LogStartOffset)
	var indexes []int32
	for _, e := range p.ErrorRecords {
		indexes = append(indexes, e.RelativeOffset)
	}
	require.Equal(t, []int32{0, 1, 3}, indexes)
	require.True(t, strings.HasPrefix(*p.ErrorRecords[0].ErrorMessage, "Timestamp 1700000000000 of message with offset 0 is out of range. The timestamp should be within ["))
	for _, e := range p.ErrorRecords[1:] {
		require.Equal(t, "Compacted topic cannot accept message without key in topic partition mixed-0", *e.ErrorMessage)
	}
	p = send(t, client, id, batchOf(t, record.Zstd, -1, kmsg.Record{TimestampDelta64: sinceBase}))
	require.Equal(t, kerr.InvalidRecord.Code, p.ErrorCode)
	require.Equal(t, "One or more records have been rejected due to 1 record errors in total, and only showing the first three errors at most: "+
		"[RecordError(batchIndex=0, message='Compacted topic cannot accept message without key in topic partition mixed-0')]", *p.ErrorMessage)
}

// TestRecordValidation: with framing, the broker trusts what producers say about their
// records.
func TestRecordValidation(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]int64{"full": 1_700_000_000_001, "framing": 7} {
		client := connect(t, botetest.WithProperty("record.validation", setting))
		id := createTopic(t, client, "t", nil)
		require.Zero(t, send(t, client, id, batchOf(t, record.LZ4, 7, kmsg.Record{TimestampDelta64: 1})).ErrorCode)
		require.Equal(t, want, readFirst(t, client, id).MaxTimestamp(), setting)
	}
}

// TestCompressionLevels: if a topic forces a codec, its batches are compressed with
// the topic's level.
func TestCompressionLevels(t *testing.T) {
	t.Parallel()
	client := connect(t)
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("a level has to show in what comes out of all these words with many endings and beginnings")
	var value []byte
	for range 20_000 {
		value = append(append(value, words[random.IntN(len(words))]...), byte('a'+random.IntN(3)), byte('a'+random.IntN(3)))
	}
	plain := batchOf(t, record.None, 1_700_000_000_000, kmsg.Record{Key: []byte("k"), Value: value})
	for _, test := range []struct {
		codec  record.Codec
		levels []int
	}{{record.Gzip, []int{1, 9}}, {record.LZ4, []int{1, 12}}, {record.Zstd, []int{1, 19}}} {
		var sizes []int
		for _, level := range test.levels {
			id := createTopic(t, client, fmt.Sprintf("%s-%d", test.codec, level), map[string]string{
				"compression.type": test.codec.String(), fmt.Sprintf("compression.%s.level", test.codec): fmt.Sprint(level),
			})
			require.Zero(t, send(t, client, id, slices.Clone(plain)).ErrorCode)
			want, err := record.Recode(plain, plain.Payload(), test.codec, level)
			require.NoError(t, err)
			got := readFirst(t, client, id)
			require.Equal(t, []byte(want[record.HeaderSize:]), got.Payload(), "%s %d", test.codec, level)
			sizes = append(sizes, len(got))
		}
		require.NotEqual(t, sizes[0], sizes[1], "%s: the test's data packs alike with both levels", test.codec)
	}
}

// alter sends one change of a resource's configs and returns the answer.
func alter(t *testing.T, client *kgo.Client, kind kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) kmsg.IncrementalAlterConfigsResponseResource {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kind, name
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Op, config.Value = key, op, value
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return resp.Resources[0]
}

// TestAlterConfigsLooksAtTheKeyLast: the broker checks in this order whether the key
// allows the operation, the resource's name, the value, and whether the resource
// exists. A config that is not set may be deleted, whatever its name.
func TestAlterConfigsLooksAtTheKeyLast(t *testing.T) {
	t.Parallel()
	client := connect(t)
	createTopic(t, client, "t", nil)
	const (
		set, del, add = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend
		topics        = kmsg.ConfigResourceTypeTopic
		groups        = kmsg.ConfigResourceTypeGroupConfig
		brokers       = kmsg.ConfigResourceTypeBroker
	)
	notAList := "Can't APPEND to key foo.bar because its type is not LIST."
	for _, test := range []struct {
		kind      kmsg.ConfigResourceType
		name, key string
		op        kmsg.IncrementalAlterConfigOp
		want      error
		text      string
	}{
		{topics, "t", "foo.bar", del, nil, ""},
		{topics, "t", "retention.ms", del, nil, ""},
		{topics, "t", "foo.bar", set, kerr.InvalidConfig, "Unknown topic config name: foo.bar"},
		{topics, "t", "foo.bar", add, kerr.InvalidConfig, notAList},
		{topics, "t", "foo.bar", 7, kerr.UnknownServerError, ""},
		{topics, "", "retention.ms", del, kerr.InvalidRequest, "Default topic resources are not allowed."},
		{topics, "", "foo.bar", set, kerr.InvalidRequest, "Default topic resources are not allowed."},
		{topics, "", "foo.bar", add, kerr.InvalidConfig, notAList},
		{topics, "..", "foo.bar", set, kerr.InvalidTopicException, "Topic name is invalid: '..' is not allowed"},
		{topics, "none", "foo.bar", del, kerr.UnknownTopicOrPartition, "The topic 'none' does not exist."},
		{topics, "none", "foo.bar", set, kerr.InvalidConfig, "Unknown topic config name: foo.bar"},
		{groups, "g", "foo.bar", del, nil, ""},
		{groups, "g", "foo.bar", add, kerr.InvalidConfig, notAList},
		{groups, "", "foo.bar", set, kerr.InvalidRequest, "Default group resources are not allowed."},
		{groups, "", "foo.bar", add, kerr.InvalidConfig, notAList},
		{brokers, "", "foo.bar", del, nil, ""},
		{brokers, "", "log.dirs", del, nil, ""},
		{brokers, "", "log.dirs", set, kerr.InvalidRequest, "Cannot update these configs dynamically: Set(log.dirs)"},
	} {
		value := new("5000")
		if test.op == del {
			value = nil
		}
		got := alter(t, client, test.kind, test.name, test.key, test.op, value)
		require.Equal(t, test.want, kerr.ErrorForCode(got.ErrorCode), "%v", test)
		if test.text != "" {
			require.Equal(t, test.text, *got.ErrorMessage, "%v", test)
		}
	}
}
