package dlt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// Action is what was done with a dead letter.
type Action string

// The actions.
const (
	ActionRedriven  Action = "redriven"
	ActionParked    Action = "parked" // redriven too often
	ActionDiscarded Action = "discarded"
)

// State is the last thing that was done with a dead letter. It is kept as JSON
// in the state topic, so clusters have its field names.
type State struct {
	Action    Action    `json:"action"`
	Actor     string    `json:"actor,omitempty"`
	At        time.Time `json:"time"`
	RedriveID string    `json:"redrive_id,omitempty"`
	Target    string    `json:"target,omitempty"`
	Reason    string    `json:"reason,omitempty"`

	// LetterTimestamp is the timestamp of the letter, in ms. It tells whether the
	// letter that lies at the place now is the one that this State is about: the
	// topic may have been deleted and filled again. Earlier versions did not write
	// it; 0 matches any letter.
	LetterTimestamp int64 `json:"letter_timestamp,omitempty"`
}

// about reports whether the State is about this record, and not about an earlier
// one at its place.
func (s State) about(r *kgo.Record) bool {
	return s.LetterTimestamp == 0 || s.LetterTimestamp == r.Timestamp.UnixMilli()
}

func (d *DLT) stateTopic() string { return d.topic + stateSuffix }

// states reads what was done with each letter, and the claims on the topic. Both
// are empty if the state topic does not exist. Entries that cannot be read are
// skipped.
func (d *DLT) states(ctx context.Context) (map[Place]State, claims, error) {
	states, claimed := map[Place]State{}, claims{}
	ranges, err := d.ranges(ctx, d.stateTopic())
	if errors.Is(err, delivery.ErrTopicMissing) {
		return states, claimed, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, rg := range ranges {
		err := d.read(ctx, rg, func(r *kgo.Record) error {
			if claimed.apply(r) {
				return nil
			}
			p, err := ParsePlace(string(r.Key))
			var s State
			if err == nil && json.Unmarshal(r.Value, &s) == nil {
				states[p] = s
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return states, claimed, nil
}

// note writes the state of one letter, creating the state topic if need be.
func (d *DLT) note(ctx context.Context, l Letter, s State) error {
	p := l.Place()
	s.LetterTimestamp = l.Record.Timestamp.UnixMilli()
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if _, err := d.writeState(ctx, p.String(), data); err != nil {
		return fmt.Errorf("write state of %s: %w", p, err)
	}
	return nil
}

// writeState writes one record of the state topic and returns its offset. All
// records go to one partition, so that readers see them in one order.
func (d *DLT) writeState(ctx context.Context, key string, value []byte) (int64, error) {
	if err := d.ensureStateTopic(ctx); err != nil {
		return 0, err
	}
	rec := &kgo.Record{Topic: d.stateTopic(), Partition: 0, Key: []byte(key), Value: value}
	if err := d.produce(ctx, rec); err != nil {
		return 0, err
	}
	return rec.Offset, nil
}

// produce writes a record. If ctx ends first, the record may or may not be
// written, or may still be on its way: franz-go cannot take back what it has sent.
func (d *DLT) produce(ctx context.Context, rec *kgo.Record) error {
	done := make(chan error, 1)
	d.c.Kgo().Produce(ctx, rec, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", delivery.ErrUnknownOutcome, context.Cause(ctx))
	}
}

func (d *DLT) ensureStateTopic(ctx context.Context) error {
	if d.stateReady.Load() {
		return nil
	}
	topics, err := d.c.Partitions(ctx, d.stateTopic())
	if err != nil {
		return fmt.Errorf("look for %s: %w", d.stateTopic(), err)
	}
	if topics[d.stateTopic()] > 0 {
		d.stateReady.Store(true)
		return nil
	}
	configs := map[string]*string{"cleanup.policy": new("compact"), "retention.bytes": new("-1")}
	_, err = d.adm.CreateTopic(ctx, 1, -1, configs, d.stateTopic())
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", d.stateTopic(), err)
	}
	d.stateReady.Store(true)
	return nil
}
