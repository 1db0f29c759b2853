package dlt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
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
// in the state topic, so its names reach clusters.
type State struct {
	Action    Action    `json:"action"`
	Actor     string    `json:"actor,omitempty"`
	At        time.Time `json:"time"`
	RedriveID string    `json:"redrive_id,omitempty"`
	Target    string    `json:"target,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

func (d *DLT) stateTopic() string { return d.topic + stateSuffix }

// states reads all states. A state topic that does not exist has none; entries
// that cannot be read are skipped.
func (d *DLT) states(ctx context.Context) (map[Place]State, error) {
	out := map[Place]State{}
	topics, err := d.c.Partitions(ctx, d.stateTopic())
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", d.stateTopic(), err)
	}
	if topics[d.stateTopic()] == 0 {
		return out, nil
	}
	ranges, err := d.ranges(ctx, d.stateTopic())
	if err != nil {
		return nil, err
	}
	for _, rg := range ranges {
		err := d.read(ctx, rg, func(r *kgo.Record) error {
			p, err := ParsePlace(string(r.Key))
			var s State
			if err == nil && json.Unmarshal(r.Value, &s) == nil {
				out[p] = s
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// note writes the state of one letter, creating the state topic if need be.
func (d *DLT) note(ctx context.Context, p Place, s State) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := d.ensureStateTopic(ctx); err != nil {
		return err
	}
	rec := &kgo.Record{Topic: d.stateTopic(), Partition: 0, Key: []byte(p.String()), Value: data}
	if err := d.c.Kgo().ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("write state of %s: %w", p, err)
	}
	return nil
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
	compact := "compact"
	_, err = d.adm.CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": &compact}, d.stateTopic())
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", d.stateTopic(), err)
	}
	d.stateReady.Store(true)
	return nil
}
