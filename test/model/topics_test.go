package model_test

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createTopic creates a topic that does not exist.
func (w *world) createTopic(s step) error {
	name := topicNames[s.a%uint32(len(topicNames))]
	if w.ref.topics[name] != nil {
		return errSkip
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, w.h.settings.partitions, 1
	expires := s.b%3 == 1
	config := map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "file.delete.delay.ms": fmt.Sprint(s.c % 3 * 500)}
	if expires {
		config["retention.ms"] = "60000"
	}
	for key, value := range config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	// Until the answer comes, the topic may exist or not.
	w.ref.create(name, [16]byte{}, w.h.settings.partitions, expires).unsure = true
	resp, err := w.clients[0].send(req).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	got := resp.(*kmsg.CreateTopicsResponse).Topics[0]
	if err := w.explained(got.ErrorCode); err != nil {
		return errors.Join(err, w.resolveTopics())
	}
	w.ref.topics[name].id, w.ref.topics[name].unsure = got.TopicID, false
	return nil
}

// deleteTopic deletes a topic.
func (w *world) deleteTopic(s step) error {
	t := w.ref.topics[topicNames[s.a%uint32(len(topicNames))]]
	if t == nil {
		return errSkip
	}
	if err := w.awaitAll(); err != nil {
		return err
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &t.name
	req.Topics = append(req.Topics, rt)
	t.unsure = true
	resp, err := w.clients[0].send(req).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	if err := w.explained(resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode); err != nil {
		return errors.Join(err, w.resolveTopics())
	}
	w.gone(t)
	return nil
}

// gone forgets a topic and what clients knew of it.
func (w *world) gone(t *refTopic) {
	delete(w.ref.topics, t.name)
	for key := range w.ref.offsets {
		if key.part.topic == t {
			delete(w.ref.offsets, key)
		}
	}
}

// resolveTopics compares the existing topics with those that should exist, and
// finds out about those whose requests were not answered.
func (w *world) resolveTopics() error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	resp, err := w.clients[0].send(req).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	there := map[string]kmsg.MetadataResponseTopic{}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		there[*t.Topic] = t
	}
	for _, name := range topicNames {
		t := w.ref.topics[name]
		got, ok := there[name]
		switch {
		case t == nil && ok:
			return broken("topic %s is there, and was deleted", name)
		case t == nil:
		case t.unsure && !ok:
			w.gone(t)
		case !ok:
			return broken("topic %s is gone, and was created", name)
		case len(got.Partitions) != len(t.parts):
			return broken("topic %s has %d partitions, not %d", name, len(got.Partitions), len(t.parts))
		default:
			t.unsure = false
		}
	}
	return nil
}

// alter sets a retention limit.
func (w *world) alter(s step) error {
	t := w.ref.topics[topicNames[s.a%uint32(len(topicNames))]]
	if t == nil {
		return errSkip
	}
	t.expires = true
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, t.name
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	pair := [][2]string{{"retention.ms", "1000"}, {"retention.ms", "-1"}, {"retention.bytes", "3000"}, {"retention.bytes", "-1"}}[s.b%4]
	c.Name, c.Value = pair[0], &pair[1]
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	resp, err := w.clients[0].send(req).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	return w.explained(resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
}

// deleteRecords moves the log start.
func (w *world) deleteRecords(s step) error {
	p := w.part(s.a)
	if p == nil {
		return errSkip
	}
	offset := p.start + int64(s.b)%(p.high-p.start+1)
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = p.topic.name
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Partition, rp.Offset = p.index, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	p.asked = max(p.asked, offset)
	resp, err := w.clients[1].send(req).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	got := resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
	if got.ErrorCode == kerr.OffsetOutOfRange.Code && p.lost {
		return errSkip
	}
	if err := w.explained(got.ErrorCode); err != nil {
		return err
	}
	if got.LowWatermark < offset {
		return broken("%v: records are deleted up to %d, not %d", p, got.LowWatermark, offset)
	}
	p.start = max(p.start, offset)
	return nil
}
