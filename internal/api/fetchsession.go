package api

import (
	"container/list"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/topic"
)

// Fetch sessions (KIP-227): a client names its partitions once and then only changes;
// the broker answers only with partitions that changed.

const (
	sessionless = -1 // session epoch of a fetch without a session
	newSession  = 0  // session epoch of a fetch that asks for a new session
	// sessionStale is how long a session must be unused before another one may take
	// its place.
	sessionStale = 2 * time.Minute
)

// sessionPart is what a session remembers of a partition.
type sessionPart struct {
	fetchPart
	answeredHigh, answeredStart int64 // as last answered; -2 forces an answer
	place                       *list.Element
}

// session is the session of one client. sessions.mu guards it, except during a fetch
// of the session (busy), which has it to itself.
type session struct {
	id         int32
	epoch      int32 // the epoch that the next fetch must have
	byID       bool
	used       time.Time
	busy       bool
	parts      map[partKey]*sessionPart
	order      *list.List // of *sessionPart; those that had records in the last answer are at the end
	lruElement *list.Element
}

// sessionShare is how many partitions a session may have on average. Each needs some
// 400 bytes for as long as the session lives.
const sessionShare = 500

// sessions is the cache of all sessions, least recently used first. Both len(byID) and
// held are bounded: by limit, and by limit*sessionShare. So one client may have a
// hundred thousand partitions, but not each of a thousand clients. That also bounds the
// bytes, because a topic's name has at most 249 of them. A client fetches without a
// session if the cache is full, or if it names something that cannot be a topic.
type sessions struct {
	limit int
	now   func() time.Time

	mu             sync.Mutex // guards what follows
	heldPartitions int        // partitions of all sessions
	byID           map[int32]*session
	lru            *list.List
}

func newSessions(limit int, now func() time.Time) *sessions {
	if now == nil {
		now = time.Now
	}
	return &sessions{limit: limit, now: now, byID: map[int32]*session{}, lru: list.New()}
}

// begin resolves a request that uses or asks for a session.
func (c *sessions) begin(f *fetch, q *kmsg.FetchRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.SessionEpoch == newSession || q.SessionEpoch == sessionless {
		c.drop(q.SessionID)
		f.full = true
		if q.SessionEpoch == sessionless {
			f.parts = partsOf(q)
			return nil
		}
		c.open(f, q)
		return nil
	}
	s := c.byID[q.SessionID]
	switch {
	case s == nil:
		return kerr.FetchSessionIDNotFound
	case s.byID != (q.Version >= 13):
		return kerr.FetchSessionTopicIDError
	case q.SessionEpoch != s.epoch || s.busy:
		return kerr.InvalidFetchSessionEpoch
	}
	room := c.limit*sessionShare - c.heldPartitions
	if !keepable(q) || named(q) > room && s.added(q) > room {
		c.drop(s.id)
		return kerr.FetchSessionIDNotFound
	}
	c.heldPartitions -= len(s.parts)
	s.update(q)
	c.heldPartitions += len(s.parts)
	if len(s.parts) == 0 {
		c.drop(s.id)
		f.full = true
		return nil
	}
	s.epoch = nextEpoch(s.epoch)
	c.use(f, s)
	return nil
}

func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// open makes a session for a full fetch if the cache has room and may keep the names
// in the fetch.
func (c *sessions) open(f *fetch, q *kmsg.FetchRequest) {
	if !keepable(q) {
		f.parts = partsOf(q)
		return
	}
	s := &session{epoch: 1, byID: q.Version >= 13, parts: map[partKey]*sessionPart{}, order: list.New()}
	s.update(q)
	if len(s.parts) == 0 || !c.admit(len(s.parts)) {
		f.parts = partsOf(q)
		return
	}
	for s.id == 0 || c.byID[s.id] != nil {
		s.id = rand.Int32N(math.MaxInt32-1) + 1
	}
	c.byID[s.id] = s
	c.heldPartitions += len(s.parts)
	s.lruElement = c.lru.PushBack(s)
	c.use(f, s)
}

// admit makes room for a session of so many partitions: it drops stale sessions,
// whatever their size. It returns false if that is not enough.
func (c *sessions) admit(parts int) bool {
	fits := func() bool { return len(c.byID) < c.limit && c.heldPartitions+parts <= c.limit*sessionShare }
	for e := c.lru.Front(); e != nil && !fits(); {
		s := e.Value.(*session) // the list has nothing else
		e = e.Next()
		switch {
		case s.busy:
		case c.now().Sub(s.used) <= sessionStale:
			return false
		default:
			c.drop(s.id)
		}
	}
	return fits()
}

// keepable reports whether a session may keep all names of a request for as long as it
// lives. It may keep valid topic names, whose length is bounded; other names can have
// any length. Version 13 has no names.
func keepable(q *kmsg.FetchRequest) bool {
	for i := range q.Topics {
		t := &q.Topics[i]
		if q.Version < 13 && len(t.Partitions) > 0 && (len(t.Topic) > topic.MaxNameLength || topic.Validate(t.Topic) != nil) {
			return false
		}
	}
	return true
}

// named returns how many partitions a request names.
func named(q *kmsg.FetchRequest) (n int) {
	for i := range q.Topics {
		n += len(q.Topics[i].Partitions)
	}
	return n
}

// use copies a session's partitions into a fetch.
func (c *sessions) use(f *fetch, s *session) {
	s.busy, s.used = true, c.now()
	c.lru.MoveToBack(s.lruElement)
	f.session, f.id = s, s.id
	f.parts = make([]fetchPart, 0, len(s.parts))
	for e := s.order.Front(); e != nil; e = e.Next() {
		p := e.Value.(*sessionPart) // the list has nothing else
		part := p.fetchPart
		part.session = p
		f.parts = append(f.parts, part)
	}
}

// update adds, changes and forgets partitions as a request says. The session outlives
// the request, so names are copied.
func (s *session) update(q *kmsg.FetchRequest) {
	eachPart(q, func(key partKey, p *kmsg.FetchRequestTopicPartition) {
		old := s.parts[key]
		if old == nil {
			key.name = strings.Clone(key.name)
			old = &sessionPart{answeredHigh: -2, answeredStart: -2}
			old.place = s.order.PushBack(old)
			s.parts[key] = old
		} else {
			key.name = old.name
		}
		old.fetchPart = newFetchPart(key, p)
	})
	for i := range q.ForgottenTopics {
		t := &q.ForgottenTopics[i]
		for _, index := range t.Partitions {
			key := partKey{t.Topic, topic.ID(t.TopicID), index}
			if old := s.parts[key]; old != nil {
				s.order.Remove(old.place)
				delete(s.parts, key)
			}
		}
	}
}

// added returns how many partitions a request adds at most.
func (s *session) added(q *kmsg.FetchRequest) (n int) {
	eachPart(q, func(key partKey, _ *kmsg.FetchRequestTopicPartition) {
		if s.parts[key] == nil {
			n++
		}
	})
	return n
}

func (c *sessions) drop(id int32) {
	if s := c.byID[id]; s != nil {
		delete(c.byID, id)
		c.heldPartitions -= len(s.parts)
		c.lru.Remove(s.lruElement)
	}
}

// end gives the session back, with the partitions that had records now at the end.
func (c *sessions) end(f *fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.full {
		for i := range f.parts {
			if p := &f.parts[i]; p.read.Len() > 0 && f.session.parts[keyOfPart(p)] == p.session {
				f.session.order.MoveToBack(p.session.place)
			}
		}
	}
	f.session.busy = false
}

func keyOfPart(p *fetchPart) partKey { return partKey{p.name, p.id, p.index} }

// changed reports whether an incremental answer must include a partition, and
// remembers what the client will know then. After an error, the next answer includes
// the partition in any case.
func (s *sessionPart) changed(p *fetchPart, code int16) bool {
	if code != 0 {
		s.answeredHigh = -2
		return true
	}
	if p.read.Diverged {
		return true
	}
	changed := p.read.Len() > 0 || s.answeredHigh != p.read.HighWatermark || s.answeredStart != p.read.LogStartOffset
	s.answeredHigh, s.answeredStart = p.read.HighWatermark, p.read.LogStartOffset
	return changed
}
