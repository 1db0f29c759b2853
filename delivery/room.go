package delivery

import "context"

// How the listener reads each byte once. franz-go fetches ahead: while one
// answer is handed out, the next one is on its way, and what it holds of a
// partition that was paused meanwhile is thrown away and fetched again. So a
// partition is not paused because its lane is full. Instead all of an answer
// is taken, and nothing is polled until some lane has room; franz-go then
// keeps the next answer, and asks for no other.
//
// When one lane has room while another stays full, the full one is paused, so
// that a slow partition does not hold up the others: right after a poll, when
// franz-go holds nothing of it. Only if franz-go is quicker to ask for the
// next answer than the poll is to pause, that answer is read in vain.

// fetchBytes and fetchPartitionBytes bound an answer. A lane may hold the
// records of two answers beyond its limit.
const (
	fetchBytes          = 256 << 10
	fetchPartitionBytes = 128 << 10
)

// awaitRoom waits until polling may bring records for a lane that has room. It
// returns the lanes that are full.
func (c *consumer) awaitRoom(ctx context.Context) (full []*lane) {
	for {
		room, full := c.room()
		if room {
			return full
		}
		select {
		case <-c.roomy:
		case <-ctx.Done():
			return nil
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

// choke pauses a lane that is full until half of it is done.
func (ln *lane) choke() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.overLimit(1) {
		ln.choked = true
		ln.settlePauses()
	}
}
