package api

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DeleteTopics, key 20, versions 1-6. 3 knows TOPIC_DELETION_DISABLED; 4 is
// flexible; 5 has messages; 6 deletes by ID too.
func (b *Broker) deleteTopics(r *wire.Request, q *kmsg.DeleteTopicsRequest) {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	wanted := q.Topics
	if q.Version < 6 {
		wanted = nil
		for i := range q.TopicNames {
			wanted = append(wanted, kmsg.DeleteTopicsRequestTopic{Topic: &q.TopicNames[i]})
		}
	}
	for _, twice := range []bool{true, false} {
		for _, want := range dedupe(wanted, twice) {
			rt := kmsg.NewDeleteTopicsResponseTopic()
			rt.Topic, rt.TopicID = want.Topic, want.TopicID
			err := invalid("Duplicate topic name.")
			if !twice {
				err = b.deleteTopic(r, q.Version, &rt)
			}
			rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.Reply(resp)
}

// dedupe returns the topics that are named more than once, or exactly once, each
// one time.
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

func (b *Broker) deleteTopic(r *wire.Request, version int16, rt *kmsg.DeleteTopicsResponseTopic) error {
	s := b.Catalog.Snapshot()
	byID := topic.ID(rt.TopicID) != topic.ID{}
	var t *catalog.Topic
	switch {
	case byID == (rt.Topic != nil):
		return &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "You must specify exactly one of a topic name and a topic ID."}
	case byID:
		if t = s.TopicByID(topic.ID(rt.TopicID)); t == nil {
			return kerr.UnknownTopicID
		}
	default:
		if t = s.Topic(*rt.Topic); t == nil {
			return kerr.UnknownTopicOrPartition
		}
	}
	if !b.Config.DeleteTopics {
		if version < 3 {
			return &catalog.RefusedError{Code: kerr.InvalidRequest, Message: kerr.TopicDeletionDisabled.Description}
		}
		return &catalog.RefusedError{Code: kerr.TopicDeletionDisabled, Message: "Topic deletion is disabled."}
	}
	if err := b.Catalog.DeleteTopic(r.Conn.Context(), t.ID); err != nil {
		return err
	}
	rt.Topic, rt.TopicID = &t.Name, t.ID
	b.log.Info("deleted topic", slog.String("topic", t.Name))
	b.Groups.OnTopicDeleted(t.Name, t.ID, func(err error) {
		if err != nil { // they expire like those of any topic nobody reads
			b.log.Warn("offsets of a deleted topic not removed", slog.String("topic", t.Name), slog.Any("err", err))
		}
	})
	return nil
}
