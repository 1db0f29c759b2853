package main

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Cases that name something twice in one request: within a topic, or in a topic that is
// listed again.
func init() {
	check("repeated/listoffsets", "a partition twice: 42, once in the answer; others of the request are answered", func(t *T) {
		topic, other := t.Topic(2), t.Topic(1)
		req := listOffsets(topic, 0, -1)
		twice := req.Topics[0]
		alone := listOffsets(topic, 1, -2).Topics[0]
		req.Topics = []kmsg.ListOffsetsRequestTopic{twice, alone, listOffsets(other, 0, -1).Topics[0], twice}
		codes := map[string][]int16{}
		for _, rt := range ask(t, 7, req).Topics {
			for _, p := range rt.Partitions {
				codes[rt.Topic] = append(codes[rt.Topic], p.ErrorCode)
			}
		}
		slices.Sort(codes[topic.Name])
		t.Eq("partitions 1 and 0", codes[topic.Name], []int16{0, int16(InvalidRequest)})
		t.Eq("the other topic", codes[other.Name], []int16{0})
		twice.Partitions = append(twice.Partitions, twice.Partitions[0])
		req.Topics = []kmsg.ListOffsetsRequestTopic{twice}
		resp := ask(t, 7, req)
		t.Eq("topics", len(resp.Topics), 1)
		t.Eq("partitions", len(resp.Topics[0].Partitions), 1)
		t.Code("error", resp.Topics[0].Partitions[0].ErrorCode, InvalidRequest)
	})
	check("repeated/deleterecords", "a partition twice: answered once, the last offset counts", func(t *T) {
		topic := t.Topic(1)
		t.putValues(topic, "a", "b", "c")
		req := deleteRecordsRequest(topic, 0, 3)
		req.Topics = append(req.Topics, deleteRecordsRequest(topic, 0, 1).Topics...)
		resp := ask(t, 2, req)
		t.Eq("topics", len(resp.Topics), 1)
		t.Eq("partitions", len(resp.Topics[0].Partitions), 1)
		p := resp.Topics[0].Partitions[0]
		t.Code("error", p.ErrorCode, None)
		t.Eq("low watermark", p.LowWatermark, 1)
	})
	check("repeated/log-dirs", "a partition twice: answered once", func(t *T) {
		topic := t.Topic(1)
		rt := kmsg.NewDescribeLogDirsRequestTopic()
		rt.Topic, rt.Partitions = topic.Name, []int32{0, 0}
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = append(req.Topics, rt, rt)
		d := ask(t, 4, req).Dirs[0]
		t.Eq("topics", len(d.Topics), 1)
		t.Eq("partitions", len(d.Topics[0].Partitions), 1)
	})
	check("repeated/delete-groups", "a group twice: deleted and answered once", func(t *T) {
		topic, group := t.Topic(1), t.Name("g")
		t.coordinator(group, 0)
		t.committed(group, topic, 1)
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{group, group, group}
		resp := ask(t, 2, req)
		t.Eq("answers", len(resp.Groups), 1)
		t.Code("error", resp.Groups[0].ErrorCode, None)
	})
	check("repeated/metadata", "a topic twice, by name or by ID: answered once", func(t *T) {
		topic := t.Topic(1)
		byName, byID := kmsg.NewMetadataRequestTopic(), kmsg.NewMetadataRequestTopic()
		byName.Topic, byID.TopicID = &topic.Name, topic.ID
		for _, rt := range []kmsg.MetadataRequestTopic{byName, byID} {
			req := kmsg.NewPtrMetadataRequest()
			req.Topics = append(req.Topics, rt, rt)
			t.Eq("topics", len(ask(t, 12, req).Topics), 1)
		}
	})
	check("repeated/configs", "a resource twice: described twice", func(t *T) {
		topic := t.Topic(1)
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic.Name
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Resources = append(req.Resources, r, r)
		resp := ask(t, 4, req)
		t.Eq("resources", len(resp.Resources), 2)
		t.Eq("configs", len(resp.Resources[1].Configs), len(resp.Resources[0].Configs))
	})
}
