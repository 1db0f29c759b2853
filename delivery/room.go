package delivery

import "context"

// How the listener fetches each byte only once.
//
// franz-go fetches ahead: while one fetch response is handed out, the next one is
// on its way. If a partition is paused meanwhile, franz-go throws away what that
// next response has of the partition, and fetches it again later. So a partition
// is not paused as soon as its lane is full. Instead the lanes take all of a
// response, and the consumer does not poll again until some lane has room. Until
// then franz-go keeps the next response and asks for no other.
//
// When one lane has room and another stays full, the full one is paused, so that
// a slow partition does not hold up the others. That happens right after a poll,
// when franz-go holds no records of that partition. Only if franz-go sends its
// next fetch before the pause, the response is fetched in vain.

// fetchBytes and fetchPartitionBytes bound a fetch response. A lane may hold the
// records of two responses beyond its limit.
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

// laneBytes is how many bytes a lane may hold: the smaller of QueueLimit and its
// share of BufferLimit.
func (c *consumer) laneBytes() int {
	return min(c.l.cfg.queueBytes, c.l.cfg.bufferBytes/max(int(c.laneCount.Load()), 1))
}

// room tells whether the lane takes more records, and whether it is full. Both are
// false while it is paused.
func (ln *lane) room() (room, full bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if !ln.fetching {
		return false, false
	}
	return !ln.pauses.has(pauseBackpressure), ln.overLimit(1)
}

// pauseFetch pauses a lane that is full, until it holds less than half of its limit.
func (ln *lane) pauseFetch() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.overLimit(1) {
		ln.fetchPaused = true
		ln.settlePauses()
	}
}
