// Package dlt reads dead-letter topics and sends their records back. It selects
// dead letters, redrives or discards them, and notes what was done with each. It
// joins no consumer group, and deletes nothing from a log.
//
// The notes are in the compacted topic <dead-letter topic>-bote-state, by
// partition, offset and timestamp of the dead letter, so that a second run skips
// what the first one did. If the process dies after it has published a record and
// before it has written the note, the next run redrives that record again.
//
// Only one redrive or discard of a topic runs at a time. It claims the topic with
// a record in the state topic. The claim of a process that was killed ends a
// minute after its last sign of life.
//
// Dead letters of bote and of Spring are read, including values that a Spring
// service with a JSON producer turned into base64.
package dlt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// Errors of this package.
var (
	// ErrNotFound is returned by Get for an offset that holds no record.
	ErrNotFound = errors.New("no such dead letter")
	// ErrTooManyFailures is returned by Redrive when too many of the first
	// records came back to the dead-letter topic.
	ErrTooManyFailures = errors.New("too many redriven records came back")
	// ErrNotHandled is returned by Redrive when nothing happens to the first
	// records, most likely because no consumer of the group runs.
	ErrNotHandled = errors.New("the first redriven records are not handled")
	// ErrNoGroup is returned by Redrive for a group that does not exist.
	ErrNoGroup = errors.New("no such consumer group")
	// ErrBusy is returned by Redrive and Discard while another of them works
	// on the topic. The error is a BusyError.
	ErrBusy = errors.New("another redrive or discard is at work")
	// ErrClaimLost is returned by Redrive and Discard when they could give no
	// sign of life for so long that another process may have taken over.
	ErrClaimLost = errors.New("the claim on the topic has run out")
	// ErrNoTarget is returned by Redrive for a record whose origin is unknown.
	ErrNoTarget = errors.New("record does not say where it came from")
)

// stateSuffix is appended to the dead-letter topic's name. Topics on clusters have
// it.
const stateSuffix = "-bote-state"

// parkedSuffix names the topic of records that were redriven too often.
const parkedSuffix = "-parked"

// DLT is a dead-letter topic. It is safe for concurrent use.
type DLT struct {
	c     *delivery.Client
	topic string
	adm   *kadm.Client

	stateReady atomic.Bool // the state topic exists
}

// Open makes a DLT of a dead-letter topic. It does not contact the cluster.
func Open(c *delivery.Client, topic string) *DLT {
	return &DLT{c: c, topic: topic, adm: kadm.NewClient(c.Kgo())}
}

// Topic is the topic's name.
func (d *DLT) Topic() string { return d.topic }

// Letter is one dead letter with what its headers say.
type Letter struct {
	Record   *kgo.Record
	Key      []byte // with base64 undone
	Value    []byte // with base64 undone
	Restored bool   // base64 was undone
	Origin   delivery.Origin
	Failure  *delivery.Failure // nil if the record has no failure headers
	Redrives int               // how often it was redriven before
	State    State             // zero if nothing was done with it
}

// Place is the letter's partition and offset in the dead-letter topic.
func (l Letter) Place() Place { return Place{l.Record.Partition, l.Record.Offset} }

// Open tells whether nothing was done with the letter.
func (l Letter) Open() bool { return l.State.Action == "" }

// HasHeaders tells whether the record has the headers of a dead letter. A record
// without them was not written by bote or Spring as a dead letter; most likely the
// topic is not a dead-letter topic.
func (l Letter) HasHeaders() bool {
	return l.Failure != nil || l.Origin.Topic != l.Record.Topic && l.Redrives == 0
}

// Place is a partition and offset of the dead-letter topic.
type Place struct {
	Partition int32
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%d:%d", p.Partition, p.Offset) }

// ParsePlace reads what String writes.
func ParsePlace(s string) (Place, error) {
	var p Place
	if n, err := fmt.Sscanf(s, "%d:%d", &p.Partition, &p.Offset); err != nil || n != 2 || p.String() != s {
		return Place{}, fmt.Errorf("place %q is not <partition>:<offset>", s)
	}
	return p, nil
}

// Filter selects dead letters. The zero Filter selects all that are open.
type Filter struct {
	Places     []Place   // only these
	FromOffset int64     // at this offset or after it, in every partition
	ToOffset   int64     // before this offset; 0 = no end
	Since      time.Time // dead-lettered at this time or later
	Until      time.Time // dead-lettered before this time
	Class      string    // reason such as "exhausted", or a part of the class of the error or of its cause
	Message    string    // a part of the error message
	Key        []byte    // exactly this key
	Header     string    // has this header
	HeaderText string    // with this value, if Header is set and this is not ""
	Origin     string    // origin topic
	Group      string    // group that failed; AnyGroup and "" are all, but see Redrive
	Closed     bool      // also those that were redriven or discarded
	Limit      int       // at most so many; 0 is all
}

// AnyGroup as Filter.Group selects the letters of all groups, and letters without
// a group.
const AnyGroup = "*"

// match tells whether the letter is selected, not counting Limit.
func (f Filter) match(l Letter) bool {
	r := l.Record
	failure := l.Failure
	if failure == nil {
		failure = &delivery.Failure{}
	}
	return (f.Closed || l.Open()) &&
		f.matchPlace(l.Place()) &&
		(f.Since.IsZero() || !r.Timestamp.Before(f.Since)) &&
		(f.Until.IsZero() || r.Timestamp.Before(f.Until)) &&
		(f.Class == "" || string(failure.Reason) == f.Class || strings.Contains(failure.Class, f.Class) || strings.Contains(failure.Cause, f.Class)) &&
		strings.Contains(failure.Message, f.Message) &&
		(f.Key == nil || string(f.Key) == string(l.Key)) &&
		f.matchHeader(r.Headers) &&
		(f.Origin == "" || f.Origin == l.Origin.Topic) &&
		(f.Group == "" || f.Group == AnyGroup || f.Group == l.Origin.Group)
}

func (f Filter) matchPlace(p Place) bool {
	if p.Offset < f.FromOffset || f.ToOffset > 0 && p.Offset >= f.ToOffset {
		return false
	}
	return len(f.Places) == 0 || slices.Contains(f.Places, p)
}

func (f Filter) matchHeader(h delivery.Headers) bool {
	if f.Header == "" {
		return true
	}
	v, ok := h.Get(f.Header)
	return ok && (f.HeaderText == "" || string(v) == f.HeaderText)
}

// List returns up to limit selected letters after the given place (nil: from the
// beginning), ordered by partition and offset; limit 0 means all. The returned
// place is the after of the next call; it is nil at the end.
func (d *DLT) List(ctx context.Context, f Filter, after *Place, limit int) ([]Letter, *Place, error) {
	var out []Letter
	var next *Place
	err := d.scan(ctx, f, after, func(l Letter) error {
		if limit > 0 && len(out) == limit {
			p := out[len(out)-1].Place()
			next = &p
			return errStop
		}
		out = append(out, l)
		return nil
	})
	return out, next, err
}

// Get returns the letter at a place, whatever was done with it, or ErrNotFound.
func (d *DLT) Get(ctx context.Context, p Place) (Letter, error) {
	ls, _, err := d.List(ctx, Filter{Places: []Place{p}, Closed: true}, nil, 1)
	if err != nil {
		return Letter{}, err
	}
	if len(ls) == 0 {
		return Letter{}, fmt.Errorf("%s at %s: %w", d.topic, p, ErrNotFound)
	}
	return ls[0], nil
}

// Counts are sums over selected letters.
type Counts struct {
	Total     int
	Open      int
	Redriven  int
	Discarded int
	NoHeaders int            // records for which HasHeaders is false
	ByReason  map[string]int // why bote gave up; "" for other writers
	ByClass   map[string]int // error class
	ByOrigin  map[string]int // origin topic
	ByGroup   map[string]int // group that failed; "" if the record does not name it
	Oldest    time.Time
	Newest    time.Time
}

// Count counts the selected letters, including those that were redriven or
// discarded.
func (d *DLT) Count(ctx context.Context, f Filter) (Counts, error) {
	f.Closed = true
	c := Counts{ByReason: map[string]int{}, ByClass: map[string]int{}, ByOrigin: map[string]int{}, ByGroup: map[string]int{}}
	err := d.scan(ctx, f, nil, func(l Letter) error {
		c.add(l)
		return nil
	})
	return c, err
}

func (c *Counts) add(l Letter) {
	c.Total++
	switch l.State.Action {
	case ActionRedriven, ActionParked:
		c.Redriven++
	case ActionDiscarded:
		c.Discarded++
	default:
		c.Open++
	}
	if !l.HasHeaders() {
		c.NoHeaders++
	}
	if l.Failure != nil {
		c.ByReason[string(l.Failure.Reason)]++
		c.ByClass[l.Failure.Class]++
	}
	c.ByOrigin[l.Origin.Topic]++
	c.ByGroup[l.Origin.Group]++
	at := l.Record.Timestamp
	if c.Oldest.IsZero() || at.Before(c.Oldest) {
		c.Oldest = at
	}
	if at.After(c.Newest) {
		c.Newest = at
	}
}

// Discard notes that nothing more needs to be done with the selected letters. It
// returns how many it noted, also with an error. It deletes nothing.
func (d *DLT) Discard(ctx context.Context, f Filter, actor, reason string) (int, error) {
	c, err := d.claim(ctx, newID(d.c.Clock().Now()), actor)
	if err != nil {
		return 0, fmt.Errorf("discard: %w", err)
	}
	defer c.release(ctx)
	n := 0
	err = d.scan(ctx, f, nil, func(l Letter) error {
		if err := c.keep(ctx); err != nil {
			return err
		}
		err := d.note(ctx, l, State{
			Action: ActionDiscarded, Actor: actor, At: d.c.Clock().Now().UTC(), Reason: reason,
		})
		if err == nil {
			n++
		}
		return err
	})
	return n, err
}

// Suffixes are the suffixes that names of dead-letter topics have by default.
func Suffixes() []string { return []string{"-dlt", ".DLT", ".dlt"} }

// Topics are the topics of the cluster whose names end in one of Suffixes.
func Topics(ctx context.Context, c *delivery.Client) ([]string, error) {
	topics, err := c.Partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		for _, s := range Suffixes() {
			if strings.HasSuffix(name, s) {
				out = append(out, name)
				break
			}
		}
	}
	return out, nil
}
