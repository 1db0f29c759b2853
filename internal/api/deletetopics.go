package api

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DeleteTopics, key 20, versions 1-6. 3 adds TOPIC_DELETION_DISABLED; 4 is flexible;
// 5 adds messages; 6 can delete by ID.
func (b *Broker) deleteTopics(r *wire.Request, q *kmsg.DeleteTopicsRequest) {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	wanted := q.Topics
	if q.Version < 6 {
		wanted = nil
		for i := range q.TopicNames {
			wanted = append(wanted, kmsg.DeleteTopicsRequestTopic{Topic: &q.TopicNames[i]})
		}
	}
	for _, want := range dedupe(wanted, true) {
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic, rt.TopicID = want.Topic, want.TopicID
		err := invalid("Duplicate topic name.")
		rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	var ids []topic.ID
	var at []int // for each ID, its index in the answer
	seen := map[topic.ID]bool{}
	for _, want := range dedupe(wanted, false) {
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic, rt.TopicID = want.Topic, want.TopicID
		t, err := b.deletable(q.Version, &rt)
		switch {
		case err != nil:
		case seen[t.ID] && rt.Topic == nil: // named before by ID, or by name
			err = kerr.UnknownTopicID
		case seen[t.ID]:
			err = kerr.UnknownTopicOrPartition
		default:
			seen[t.ID] = true
			ids, at = append(ids, t.ID), append(at, len(resp.Topics))
		}
		rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	b.deleteAll(r, ids, func(i int) *kmsg.DeleteTopicsResponseTopic { return &resp.Topics[at[i]] })
	r.Reply(resp)
}

// deleteAll deletes several topics at once.
func (b *Broker) deleteAll(r *wire.Request, ids []topic.ID, answer func(i int) *kmsg.DeleteTopicsResponseTopic) {
	topics, errs := b.Catalog.DeleteTopics(r.Conn.Context(), ids)
	for i, t := range topics {
		rt := answer(i)
		if err := errs[i]; err != nil {
			rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
			continue
		}
		rt.Topic, rt.TopicID = &t.Name, t.ID
		b.log.Info("deleted topic", slog.String("topic", t.Name))
		b.Groups.OnTopicDeleted(t.Name, t.ID, func(err error) {
			if err != nil { // they expire like the offsets of any topic that nobody reads
				b.log.Warn("offsets of a deleted topic not removed", slog.String("topic", t.Name), slog.Any("err", err))
			}
		})
	}
}

// dedupe returns the topics that are named more than once (if twice is set) or
// exactly once, each one time.
func dedupe(wanted []kmsg.DeleteTopicsRequestTopic, twice bool) []kmsg.DeleteTopicsRequestTopic {
	type key struct {
		name string
		id   topic.ID
	}
	keyOf := func(t kmsg.DeleteTopicsRequestTopic) key {
		k := key{id: topic.ID(t.TopicID)}
		if t.Topic != nil {
			k.name = *t.Topic
		}
		return k
	}
	count := map[key]int{}
	for _, t := range wanted {
		count[keyOf(t)]++
	}
	var out []kmsg.DeleteTopicsRequestTopic
	for _, t := range wanted {
		if n := count[keyOf(t)]; n > 0 && n > 1 == twice {
			count[keyOf(t)] = 0
			out = append(out, t)
		}
	}
	return out
}

// deletable returns the topic to delete, or why it cannot be deleted.
func (b *Broker) deletable(version int16, rt *kmsg.DeleteTopicsResponseTopic) (*catalog.Topic, error) {
	s := b.Catalog.Snapshot()
	byID := topic.ID(rt.TopicID) != topic.ID{}
	var t *catalog.Topic
	switch {
	case byID == (rt.Topic != nil):
		return nil, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "You must specify exactly one of a topic name and a topic ID."}
	case byID:
		if t = s.TopicByID(topic.ID(rt.TopicID)); t == nil {
			return nil, kerr.UnknownTopicID
		}
	default:
		if t = s.Topic(*rt.Topic); t == nil {
			return nil, kerr.UnknownTopicOrPartition
		}
	}
	if !b.Config.DeleteTopics {
		if version < 3 {
			return nil, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: kerr.TopicDeletionDisabled.Description}
		}
		return nil, &catalog.RefusedError{Code: kerr.TopicDeletionDisabled, Message: "Topic deletion is disabled."}
	}
	return t, nil
}
