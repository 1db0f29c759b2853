package dlt

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lookedAt is how many records of each partition Check looks at, the newest.
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

// Check tells a name that was mistyped, before anything is done with the
// topic: one of a topic that does not exist is a delivery.TopicError, and one
// of a main topic a NotDeadLettersError. A topic is a main topic if none of its
// newest records has the headers of a dead letter, and a dead-letter topic is
// named after it. Dead-letter topics may have any name.
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
			l := newLetter(r, State{})
			if dead = l.Failure != nil || l.Origin.Topic != d.topic && l.Redrives == 0; dead {
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
// "" if there is none.
func (d *DLT) namedAfter(ctx context.Context) (string, error) {
	var names []string
	for _, s := range Suffixes() {
		names = append(names, d.topic+s)
	}
	found, err := d.c.Partitions(ctx, names...)
	if err != nil {
		return "", fmt.Errorf("look for dead-letter topics: %w", err)
	}
	for _, name := range names {
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

// ClosedError is returned by CheckPlaces for a letter with which something was
// done before.
type ClosedError struct {
	Place Place
	State State
}

// Error implements error.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("%s was %s at %s", e.Place, e.State.Action, e.State.At.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// CheckPlaces tells which of the places that the filter names it cannot select:
// an ErrNotFound for each that holds no letter, and a ClosedError for each
// with whose letter something was done, unless the filter takes those too.
// selectable is how many places are left.
func (d *DLT) CheckPlaces(ctx context.Context, f Filter) (selectable int, err error) {
	var errs []error
	for _, p := range f.Places {
		l, err := d.Get(ctx, p)
		switch {
		case errors.Is(err, ErrNotFound):
			errs = append(errs, err)
		case err != nil:
			return 0, err
		case !l.Open() && !f.Closed:
			errs = append(errs, &ClosedError{p, l.State})
		default:
			selectable++
		}
	}
	return selectable, errors.Join(errs...)
}
