package api

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// Fetch, key 1, versions 4-18.
//
// 5 adds the log start offset; 7 sessions (KIP-227); 9 leader epochs; 11 the rack; 12 is
// flexible and adds diverging epochs; 13 adds topic IDs; 15 the replica state; 16 leader
// hints; 17 and 18 add fields for followers, which bote does not have.
//
// The connection's reader looks up the partitions, which needs no disk, and reads what is
// in memory. If there is more to read, the fetch continues on another goroutine, which
// reads several partitions at a time (fetchread.go, decision 7). A fetch that finds too
// few bytes parks: it registers with its partitions and sets a timer, and holds no
// goroutine. When it is woken, it reads everything again. Records go from the log's
// buffer to the socket; only the bytes around them are encoded (fetchencode.go).

const fetchKey = 1

// fetchPart is one partition of a fetch, in the order of the answer.
type fetchPart struct {
	name               string
	id                 topic.ID
	index              int32
	offset             int64
	maxBytes           int32
	currentLeaderEpoch int32 // the leader epoch that the client knows, or -1
	lastFetchedEpoch   int32 // the epoch of the last batch that the client has, or -1
	session            *sessionPart
	topic              *catalog.Topic
	part               *partition.Partition
	read               partition.Records
	more               bool // there are batches to read
	err                error
	code               int16 // the error code that the client gets for err
	refused            bool  // err says that the partition cannot be read at all
	hint               cluster.Leader
	seenBefore         partition.Progress
}

// fetch is one request.
type fetch struct {
	b           *Broker
	r           *wire.Request
	version     int16
	session     *session // nil without one
	full        bool     // the answer has all partitions, changed or not
	id          int32    // of the session, for the answer
	parts       []fetchPart
	hints       hints
	room        bool // there is memory for the answer
	answerRoom  int  // bytes that the answer may still add
	answerBytes int  // bytes that the answer has
	late        bool // the time for reading ended before everything was read

	maxBytes  int
	minBytes  int
	isolation int8
	toEnd     bool
	follower  bool

	// Only while parked:
	ended    atomic.Bool
	needed   atomic.Int64
	parked   chan struct{}
	timer    *time.Timer
	unparked func() bool
	watching []fetchWatch
}

func (b *Broker) fetch(r *wire.Request, q *kmsg.FetchRequest) {
	f := &fetch{
		b: b, r: r, version: q.Version, minBytes: int(q.MinBytes), isolation: q.IsolationLevel,
		maxBytes: min(int(q.MaxBytes), int(b.Config.Connections.FetchMaxBytes)), toEnd: q.ReplicaID == debugReplica,
		follower: q.ReplicaID >= 0 || q.ReplicaState.ID >= 0,
	}
	f.minBytes = min(f.minBytes, f.maxBytes)
	if err := f.begin(q); err != nil {
		resp := kmsg.NewPtrFetchResponse()
		resp.ErrorCode = b.code(r, err)
		r.Reply(resp)
		return
	}
	wait := time.Duration(q.MaxWaitMillis) * time.Millisecond
	if f.look() && !f.readCached(r.Conn.Context()) {
		b.offReader(r, func() { f.readAndAnswer(wait) }, f.giveUp)
		return
	}
	f.answerOrPark(wait)
}

// readAndAnswer reads what is not in memory, and answers or parks.
func (f *fetch) readAndAnswer(wait time.Duration) {
	defer f.leaveAtPanic()
	f.readAll(f.r.Conn.Context())
	f.answerOrPark(wait)
}

// answerOrPark answers, or parks if the fetch should wait for more.
func (f *fetch) answerOrPark(wait time.Duration) {
	readable, settled := f.countReadable()
	if settled || wait <= 0 || readable >= f.minBytes {
		f.answer()
		return
	}
	f.park(int64(f.minBytes-readable), wait)
}

// begin determines the partitions of the fetch, with or without a session.
func (f *fetch) begin(q *kmsg.FetchRequest) error {
	if q.Version >= 7 && (q.SessionEpoch != sessionless || q.SessionID != 0) {
		return f.b.sessions.begin(f, q)
	}
	f.full = true
	f.parts = partsOf(q)
	return nil
}

// eachPart visits the partitions of a request in their order.
func eachPart(q *kmsg.FetchRequest, visit func(partKey, *kmsg.FetchRequestTopicPartition)) {
	for i := range q.Topics {
		t := &q.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			visit(partKey{t.Topic, t.TopicID, p.Partition}, p)
		}
	}
}

// partsOf returns the partitions of a request. As in Kafka, a partition that is named
// twice counts once: in its first place, with its last parameters.
func partsOf(q *kmsg.FetchRequest) []fetchPart {
	n := named(q)
	parts := make([]fetchPart, 0, n)
	var places map[partKey]int
	if n > 1 {
		places = make(map[partKey]int, n)
	}
	eachPart(q, func(key partKey, p *kmsg.FetchRequestTopicPartition) {
		if at, twice := places[key]; twice {
			parts[at] = newFetchPart(key, p)
			return
		}
		if places != nil {
			places[key] = len(parts)
		}
		parts = append(parts, newFetchPart(key, p))
	})
	return parts
}

func newFetchPart(key partKey, p *kmsg.FetchRequestTopicPartition) fetchPart {
	return fetchPart{
		name: key.name, id: key.id, index: key.index, offset: p.FetchOffset, maxBytes: p.PartitionMaxBytes,
		currentLeaderEpoch: p.CurrentLeaderEpoch, lastFetchedEpoch: p.LastFetchedEpoch,
	}
}

// look finds the partitions and what can be read of them, without the disk. It reports
// whether there are batches to read.
func (f *fetch) look() (more bool) {
	s := f.b.Catalog.Snapshot()
	f.hints = hints{}
	for i := range f.parts {
		p := &f.parts[i]
		f.lookAt(s, p)
		more = more || p.more
	}
	return more
}

func (f *fetch) lookAt(s *catalog.Snapshot, p *fetchPart) {
	t, part, err := f.b.find(s, p.name, p.id, f.version >= 13, p.index)
	if err == nil && f.follower {
		err = kerr.NotLeaderForPartition // nobody follows: there is one replica
	}
	p.topic, p.part, p.read, p.more, p.refused, p.hint = t, part, partition.Records{}, false, err != nil, cluster.Leader{}
	if err == nil {
		p.seenBefore = part.Progress()
		p.read, p.more, err = part.Look(f.reading(p))
	}
	f.setResult(p, err)
}

// reading returns what to read of a partition; readPart adds how much.
func (f *fetch) reading(p *fetchPart) partition.Read {
	return partition.Read{Offset: p.offset, CurrentEpoch: p.currentLeaderEpoch, LastFetchedEpoch: p.lastFetchedEpoch, ToLogEnd: f.toEnd, FileWanted: true}
}

// setResult records how the look at a partition, or its reading, ended; err may be nil.
func (f *fetch) setResult(p *fetchPart, err error) {
	p.err, p.code = err, f.errorCode(err)
	if err != nil && f.version >= fetchHintsVersion && (errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.FencedLeaderEpoch)) {
		p.hint, _ = f.hints.hint(f.b, f.r, p.topic, p.index)
	}
}

// countReadable returns, after the reading, the bytes that count towards min_bytes. As in Kafka's
// DelayedFetch, a partition that has more than was asked for counts with what was asked
// for, not with the whole batches that fit. settled says that the answer must not wait
// for more: there is an error, a divergence, a partition whose read ended in a segment
// before the last, no time left, or no partition to wait for.
func (f *fetch) countReadable() (readable int, settled bool) {
	waiting := 0
	for i := range f.parts {
		p := &f.parts[i]
		readable += p.read.Readable
		switch {
		case p.refused:
		case p.err != nil || p.read.Diverged || p.read.Sealed:
			settled = true
		default:
			waiting++
		}
	}
	return readable, settled || f.late || waiting == 0
}

// fetchHintsVersion is the first version of Fetch whose answer can name leaders.
const fetchHintsVersion = 16

// answer sends what was read.
func (f *fetch) answer() {
	parts := f.encode()
	f.leaveSession() // before the client can have the answer, and come back
	f.r.ReplyParts(f.version >= 12, parts, f.release)
}

// leaveSession gives the session back, if there is one.
func (f *fetch) leaveSession() {
	if f.session != nil {
		f.b.sessions.end(f)
	}
}

// release gives the logs their buffers back.
func (f *fetch) release() {
	for i := range f.parts {
		f.parts[i].read.Release()
	}
}

// fetchWatch is what a parked fetch registers with a partition.
type fetchWatch struct {
	f        *fetch
	part     *partition.Partition
	mayCount atomic.Int64 // how many more bytes may count, of partition_max_bytes
}

// park waits until there are enough bytes, the time is over, or the client has left. It
// registers first and then compares each partition's progress with that before the read,
// so that it misses no change in between.
func (f *fetch) park(needed int64, wait time.Duration) {
	f.r.Unreserve()
	f.needed.Store(needed)
	f.watching = make([]fetchWatch, 0, len(f.parts))
	f.parked = make(chan struct{})
	f.timer = time.AfterFunc(wait, f.unpark)
	f.unparked = context.AfterFunc(f.r.Conn.Context(), f.unpark)
	moved := false
	for i := range f.parts {
		p := &f.parts[i]
		if p.part == nil {
			continue
		}
		f.watching = f.watching[:len(f.watching)+1]
		w := &f.watching[len(f.watching)-1]
		w.f, w.part = f, p.part
		w.mayCount.Store(int64(p.maxBytes) - int64(p.read.Readable))
		p.read.Release() // it is read again
		p.part.Watch(w)
		moved = moved || p.part.Progress() != p.seenBefore
	}
	close(f.parked)
	if moved { // nobody knows how much came, so the fetch is answered, even with too few bytes
		f.unpark()
	}
}

// Notify implements partition.Watcher.
func (w *fetchWatch) Notify(n int64) {
	n = min(n, max(0, w.mayCount.Add(-n)+n))
	if w.f.needed.Add(-n) <= 0 {
		w.f.unpark()
	}
}

// Wake implements partition.Watcher.
func (w *fetchWatch) Wake() { w.f.unpark() }

// unpark ends the wait, once. It continues on a new goroutine, because its callers, such
// as appends, must not wait for reads.
func (f *fetch) unpark() {
	if f.ended.Swap(true) {
		return
	}
	f.r.Resume(func() {
		defer f.leaveAtPanic()
		<-f.parked // the fetch may be woken before it is registered everywhere
		f.timer.Stop()
		f.unparked()
		for i := range f.watching {
			f.watching[i].part.Unwatch(&f.watching[i])
		}
		ctx := f.r.Conn.Context()
		if ctx.Err() == nil && f.look() && !f.readCached(ctx) {
			f.b.inDiskSlot(ctx, func() { f.readAll(ctx) })
		}
		if ctx.Err() != nil {
			f.giveUp()
			return
		}
		f.answer()
	})
}

// leaveAtPanic gives the session back if the goroutine panics. The panic goes on and ends
// the connection.
func (f *fetch) leaveAtPanic() {
	if p := recover(); p != nil {
		f.leaveSession()
		panic(p)
	}
}

// giveUp ends a fetch whose client has left.
func (f *fetch) giveUp() {
	f.release()
	f.leaveSession()
	f.r.Skip()
}

// storageErrorVersion is the first version of Fetch that knows KAFKA_STORAGE_ERROR.
const storageErrorVersion = 6

// errorCode returns the error code that the answer has for a partition.
func (f *fetch) errorCode(err error) int16 {
	code := f.b.code(f.r, err)
	if code == kerr.KafkaStorageError.Code && f.version < storageErrorVersion {
		return kerr.NotLeaderForPartition.Code
	}
	return code
}
