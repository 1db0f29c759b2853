package dlt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lookedAt is how many of the newest records of each partition Check looks at.
const lookedAt = 100

// NotDeadLettersError is returned by Check for a topic without dead letters.
type NotDeadLettersError struct {
	Topic string
	Meant string // the dead-letter topic that is named after it
}

// Error implements error.
func (e *NotDeadLettersError) Error() string {
	return fmt.Sprintf("%s holds no dead letters; did you mean %s?", e.Topic, e.Meant)
}

// Check finds a mistyped name before anything is done with the topic. It returns
// a delivery.TopicError for a topic that does not exist, and a
// NotDeadLettersError for a main topic. A topic counts as a main topic if none of
// its newest records has the headers of a dead letter, and a dead-letter topic is
// named after it. A dead-letter topic may have any name.
func (d *DLT) Check(ctx context.Context) error {
	ranges, err := d.ranges(ctx, d.topic)
	if err != nil {
		return err
	}
	meant, err := d.namedAfter(ctx)
	if err != nil || meant == "" {
		return err
	}
	dead := false
	for _, rg := range ranges {
		rg.from = max(rg.from, rg.to-lookedAt)
		err := d.read(ctx, rg, func(r *kgo.Record) error {
			if dead = newLetter(r, State{}).HasHeaders(); dead {
				return errStop
			}
			return nil
		})
		if dead {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return &NotDeadLettersError{Topic: d.topic, Meant: meant}
}

// namedAfter is the dead-letter topic that has the topic's name with a suffix,
// "" if there is none or the user may not see it. It asks for the names one by
// one, because a name that the user may not see fails the whole request.
func (d *DLT) namedAfter(ctx context.Context) (string, error) {
	for _, suffix := range Suffixes() {
		name := d.topic + suffix
		found, err := d.c.Partitions(ctx, name)
		hidden := errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.InvalidTopicException) // the latter if it is too long
		if err != nil && !hidden {
			return "", fmt.Errorf("look for dead-letter topics: %w", err)
		}
		if found[name] > 0 {
			return name, nil
		}
	}
	return "", nil
}

// CheckGroup returns ErrNoGroup if the cluster has no such group.
func (d *DLT) CheckGroup(ctx context.Context, group string) error {
	groups, err := d.adm.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	if _, ok := groups[group]; !ok {
		return fmt.Errorf("%s: %w", group, ErrNoGroup)
	}
	return nil
}

// Find returns the letters at places, whatever was done with them, and the
// places that hold none.
func (d *DLT) Find(ctx context.Context, places []Place) (found []Letter, missing []Place, err error) {
	if len(places) == 0 {
		return nil, nil, nil
	}
	found, _, err = d.List(ctx, Filter{Places: places, Closed: true}, nil, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range places {
		if !slices.ContainsFunc(found, func(l Letter) bool { return l.Place() == p }) {
			missing = append(missing, p)
		}
	}
	return found, missing, nil
}
