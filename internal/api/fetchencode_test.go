package api

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/topic"
)

// TestFetchEncoding holds the hand-written encoding equal to kmsg's, in every version
// that is served.
func TestFetchEncoding(t *testing.T) {
	t.Parallel()
	records := func(data string) partition.Records {
		return partition.Records{Chunk: storage.NewChunk([]byte(data), nil), HighWatermark: 9, LastStableOffset: 9, LogStartOffset: 2}
	}
	diverged := partition.Records{HighWatermark: 9, LastStableOffset: 9, LogStartOffset: 2, Diverged: true, Diverging: storage.Epoch{Epoch: 3, Start: 7}}
	parts := []fetchPart{
		{name: "a", id: topic.ID{1}, index: 0, read: records("first")},
		{name: "a", id: topic.ID{1}, index: 1, read: records("")},
		{name: "b", id: topic.ID{2}, index: 5, err: kerr.OffsetOutOfRange, code: kerr.OffsetOutOfRange.Code},
		{name: "c", id: topic.ID{3}, index: 2, read: records("last")},
	}
	for version := int16(4); version <= 18; version++ {
		for isolation := range int8(2) {
			f := &fetch{b: &Broker{}, version: version, full: true, id: 77, isolation: isolation, parts: slices.Clone(parts)}
			if version >= 12 {
				f.parts = append(f.parts, fetchPart{name: "c", id: topic.ID{3}, index: 3, read: diverged})
			}
			if version >= fetchHintsVersion {
				rack := "r"
				one, two := &cluster.Node{ID: 4, Rack: &rack}, &cluster.Node{ID: 5}
				f.hints.nodes = []namedNode{{one, cluster.Endpoint{Host: "one", Port: 9}}, {two, cluster.Endpoint{Host: "two", Port: 10}}}
				f.parts = append(f.parts, fetchPart{name: "c", id: topic.ID{3}, index: 4, err: kerr.OffsetOutOfRange, code: kerr.OffsetOutOfRange.Code, hint: cluster.Leader{Node: one, Epoch: 7}},
					fetchPart{name: "c", id: topic.ID{3}, index: 5, err: kerr.OffsetOutOfRange, code: kerr.OffsetOutOfRange.Code, hint: cluster.Leader{Node: two, Epoch: 8}})
			}
			var got []byte
			for _, p := range f.encode() {
				got = append(got, p.Bytes...)
			}
			want := expected(f)
			require.Equal(t, want.AppendTo(nil), got, "version %d, isolation %d", version, isolation)
		}
	}
}

// expected returns the same answer for kmsg to encode.
func expected(f *fetch) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.SessionID = f.version, f.id
	for _, n := range f.hints.nodes {
		rb := kmsg.NewFetchResponseBroker()
		rb.NodeID, rb.Host, rb.Port, rb.Rack = n.ID, n.at.Host, n.at.Port, n.Rack
		resp.Brokers = append(resp.Brokers, rb)
	}
	for i := range f.parts {
		p := &f.parts[i]
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != p.name {
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = p.name, p.id
			resp.Topics = append(resp.Topics, rt)
		}
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.Partition, rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = p.index, p.read.HighWatermark, p.read.LastStableOffset, p.read.LogStartOffset
		if p.err != nil {
			rp.ErrorCode, rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = kerr.OffsetOutOfRange.Code, -1, -1, -1
		}
		rp.RecordBatches = append([]byte{}, p.read.Data...)
		if f.isolation == 1 {
			rp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		}
		if p.read.Diverged {
			rp.DivergingEpoch.Epoch, rp.DivergingEpoch.EndOffset = p.read.Diverging.Epoch, p.read.Diverging.Start
		}
		if p.hint.Node != nil {
			rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = p.hint.Node.ID, p.hint.Epoch
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		topic.Partitions = append(topic.Partitions, rp)
	}
	return resp
}
