package delivery

import (
	"context"
	"time"
)

// How the listener reads each byte once. franz-go fetches ahead: while one
// answer is handed out, the next one is on its way, and what it holds of a
// partition that was paused meanwhile is thrown away and fetched again. So a
// partition is not paused because its lane is full. Instead all of an answer
// is taken, and nothing is polled until some lane has room; franz-go then
// keeps the next answer, and asks for no other. Only when one lane has room
// while another stays full is that one paused, so that a slow partition does
// not hold up the others.

const (
	// fetchBytes and fetchPartitionBytes bound an answer. A lane may hold one
	// answer's records beyond its limit.
	fetchBytes          = 1 << 20
	fetchPartitionBytes = 256 << 10

	// chokeAfter is how long a full lane may hold up those with room before
	// it is paused. A lane that is merely busy has room again by then.
	chokeAfter = 100 * time.Millisecond
)

// awaitRoom waits until polling may bring records for a lane that has room.
func (c *consumer) awaitRoom(ctx context.Context) {
	var late <-chan struct{}
	stop := func() bool { return false }
	defer func() { stop() }()
	for {
		room, full := c.room()
		switch {
		case room && len(full) == 0:
			return
		case !room:
			stop()
			late = nil
		case late == nil:
			late, stop = timerChan(systemClock{}, chokeAfter) // the network is real, whatever the clock says.
		}
		select {
		case <-c.roomy:
		case <-late:
			for _, ln := range full {
				ln.choke()
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// room tells whether a lane has room, or whether the poll has other work, and
// which lanes are full although they are not paused.
func (c *consumer) room() (room bool, full []*lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seeks) > 0 || len(c.lanes) == 0 {
		return true, nil
	}
	for _, ln := range c.lanes {
		has, isFull := ln.room()
		room = room || has
		if isFull {
			full = append(full, ln)
		}
	}
	return room, full
}

// signalRoom lets awaitRoom look again.
func (c *consumer) signalRoom() {
	select {
	case c.roomy <- struct{}{}:
	default:
	}
}

// laneBytes is how many bytes a lane may hold: QueueLimit, or its share of
// BufferLimit.
func (c *consumer) laneBytes() int {
	return min(c.l.cfg.queueBytes, c.l.cfg.bufferBytes/max(int(c.laneCount.Load()), 1))
}

// room tells whether the lane takes more records, and whether it is full.
func (ln *lane) room() (room, full bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if !ln.fetching {
		return false, false
	}
	return !ln.pauses.has(pauseBackpressure), ln.overLimit(1)
}

// choke pauses a full lane until half of it is done.
func (ln *lane) choke() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.overLimit(1) {
		ln.choked = true
		ln.settlePauses()
	}
}
