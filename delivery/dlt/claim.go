package dlt

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A claim is held while its owner gives signs of life.
const (
	claimKey   = "claim:"         // and the owner's ID: the key in the state topic, on clusters
	claimTime  = time.Minute      // from the last sign of life
	claimBeat  = 10 * time.Second // between two signs of life
	claimSlack = 20 * time.Second // the owner gives up this long before the end: clocks may differ

	releaseTimeout = 5 * time.Second
)

// Claim is a redrive or discard that works on a dead-letter topic. It is kept
// as JSON in the state topic, so clusters have its field names.
type Claim struct {
	ID    string    `json:"id"` // of the redrive
	Actor string    `json:"actor,omitempty"`
	Host  string    `json:"host,omitempty"`
	Begun time.Time `json:"begun"`
	Ends  time.Time `json:"ends"` // unless there is a further sign of life
	// Offset is where the first record of the claim lies in the state topic.
	// It is missing in that first record, which was written before it was known.
	Offset *int64 `json:"offset,omitempty"`
}

// BusyError says who works on the topic.
type BusyError struct {
	Topic string
	Claim Claim
}

// Error implements error.
func (e *BusyError) Error() string {
	return fmt.Sprintf("another redrive or discard of %s is at work: %s, begun by %s on %s at %s; if it was killed, go on after %s",
		e.Topic, e.Claim.ID, cmp.Or(e.Claim.Actor, "somebody"), cmp.Or(e.Claim.Host, "an unknown host"),
		e.Claim.Begun.Format(time.RFC3339), e.Claim.Ends.Format(time.RFC3339))
}

// Unwrap makes the error an ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// claims are the newest records of all claims that were not released, by ID.
// The state topic keeps the newest record of each claim through compaction,
// and that is enough to know the holder: of the claims that have not ended,
// the one whose first record has the lowest offset.
type claims map[string]Claim

// apply takes a record of the state topic. It reports whether the record belongs
// to a claim.
func (cs claims) apply(r *kgo.Record) bool {
	id, ok := strings.CutPrefix(string(r.Key), claimKey)
	if !ok {
		return false
	}
	var c Claim
	if r.Value == nil || json.Unmarshal(r.Value, &c) != nil {
		delete(cs, id)
		return true
	}
	if c.Offset == nil {
		c.Offset = &r.Offset
	}
	cs[id] = c
	return true
}

// holder is the claim that counts at a time, nil if there is none.
func (cs claims) holder(now time.Time) *Claim {
	var live []Claim
	for _, c := range cs {
		if c.Ends.After(now) {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		return nil
	}
	first := slices.MinFunc(live, func(a, b Claim) int { return cmp.Compare(*a.Offset, *b.Offset) })
	return &first
}

// heldClaim is a claim of this process.
type heldClaim struct {
	d     *DLT
	claim Claim
	begun time.Time // when the last sign of life was given
}

// claim makes this process the only one that redrives or discards, or returns
// a BusyError. Of several processes, the one whose record comes first wins.
func (d *DLT) claim(ctx context.Context, id, actor string) (*heldClaim, error) {
	now := d.c.Clock().Now().UTC()
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	c := &heldClaim{d: d, claim: Claim{ID: id, Actor: actor, Host: host, Begun: now}}
	offset, err := c.write(ctx)
	if err == nil {
		c.claim.Offset = &offset
		err = d.free(ctx, id)
	}
	if err != nil {
		c.release(ctx)
		return nil, err
	}
	return c, nil
}

// free returns a BusyError if somebody but the owner of the ID holds the topic.
func (d *DLT) free(ctx context.Context, id string) error {
	_, claimed, err := d.states(ctx)
	if err != nil {
		return err
	}
	if h := claimed.holder(d.c.Clock().Now()); h != nil && h.ID != id {
		return &BusyError{Topic: d.topic, Claim: *h}
	}
	return nil
}

// write gives a sign of life: it writes a record, and returns its offset.
func (c *heldClaim) write(ctx context.Context) (int64, error) {
	now := c.d.c.Clock().Now().UTC()
	next := c.claim
	next.Ends = now.Add(claimTime)
	data, err := json.Marshal(next)
	if err != nil {
		return 0, fmt.Errorf("encode claim: %w", err)
	}
	offset, err := c.d.writeState(ctx, claimKey+c.claim.ID, data)
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", c.d.topic, err)
	}
	c.claim, c.begun = next, now
	return offset, nil
}

// left is how long the owner may rely on its claim.
func (c *heldClaim) left() time.Duration {
	return c.claim.Ends.Sub(c.d.c.Clock().Now()) - claimSlack
}

// limit ends a context when the claim can no longer be relied on.
func (c *heldClaim) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.left(), ErrClaimLost)
}

// keep gives a sign of life if one is due. It must be called before each step
// that two processes must not both take.
func (c *heldClaim) keep(ctx context.Context) error {
	if c.left() <= 0 {
		return ErrClaimLost
	}
	if c.d.c.Clock().Now().Sub(c.begun) < claimBeat {
		return nil
	}
	limited, cancel := c.limit(ctx)
	defer cancel()
	_, err := c.write(limited)
	return err
}

// release gives the topic to others at once, even if ctx has ended. If that fails,
// the claim ends by itself.
func (c *heldClaim) release(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if _, err := c.d.writeState(limited, claimKey+c.claim.ID, nil); err != nil {
		c.d.c.Logger().Warn("claim not released", slog.String("topic", c.d.topic),
			slog.String("redrive_id", c.claim.ID), slog.Any("err", err))
	}
}
