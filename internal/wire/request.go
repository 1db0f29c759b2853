package wire

import (
	"encoding/binary"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request is one request to be answered exactly once: by Reply, ReplyParts,
// Skip or Hangup.
type Request struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string
	// Body is nil for an ApiVersions request of a version that the handler does
	// not accept.
	Body kmsg.Request
	Conn *Conn

	frame    *[]byte
	held     bool        // the frame is the handler's until ReleaseFrame; set before anybody can answer
	answered atomic.Bool // or skipped
	slot     *slot
}

// header is what precedes a request's body.
type header struct {
	key, version  int16
	correlationID int32
	clientID      string
}

// parseHeader reads a request header, version 1 or, if flexible says so, 2. The
// client ID is not compact in either.
func parseHeader(p []byte, flexible func(key, version int16) bool) (h header, body []byte, ok bool) {
	if len(p) < 10 {
		return h, nil, false
	}
	h.key = int16(binary.BigEndian.Uint16(p))
	h.version = int16(binary.BigEndian.Uint16(p[2:]))
	h.correlationID = int32(binary.BigEndian.Uint32(p[4:]))
	n := int(int16(binary.BigEndian.Uint16(p[8:])))
	p = p[10:]
	if n < -1 || n > len(p) {
		return h, nil, false
	}
	if n > 0 {
		h.clientID = string(p[:n])
		p = p[n:]
	}
	if flexible(h.key, h.version) {
		p, ok = skipTags(p)
		return h, p, ok
	}
	return h, p, true
}

// skipTags passes over a section of tagged fields.
func skipTags(p []byte) (rest []byte, ok bool) {
	n, w := binary.Uvarint(p)
	if w <= 0 {
		return nil, false
	}
	p = p[w:]
	for ; n > 0; n-- {
		_, w := binary.Uvarint(p)
		if w <= 0 {
			return nil, false
		}
		p = p[w:]
		size, w := binary.Uvarint(p)
		if w <= 0 || size > uint64(len(p)-w) {
			return nil, false
		}
		p = p[w+int(size):]
	}
	return p, true
}

// Reply answers with a message. ApiVersions is answered with response header 0
// in all versions, or clients could not read the answer.
func (r *Request) Reply(resp kmsg.Response) {
	resp.SetVersion(r.Version)
	out := getBuffer(256)
	*out = r.appendHeader((*out)[:0], resp.IsFlexible() && r.Key != apiVersionsKey)
	*out = resp.AppendTo(*out)
	binary.BigEndian.PutUint32(*out, uint32(len(*out)-4))
	r.finish([]Part{{Bytes: *out}}, func() { putBuffer(out) })
}

// Part is a piece of an answer: bytes, or a part of a file.
type Part struct {
	Bytes []byte
	// File, if not nil, is sent instead: Size bytes from At on.
	File *os.File
	At   int64
	Size int
}

func (p *Part) len() int { return len(p.Bytes) + p.Size }

// ReplyParts answers with a body in parts, which are sent as they are; release
// is called when they have left or never will.
func (r *Request) ReplyParts(flexible bool, parts []Part, release func()) {
	head := r.appendHeader(make([]byte, 0, 16), flexible)
	size := len(head) - 4
	for i := range parts {
		size += parts[i].len()
	}
	binary.BigEndian.PutUint32(head, uint32(size))
	r.finish(append([]Part{{Bytes: head}}, parts...), release)
}

// Resume goes on with a request on a goroutine of its own, for which Close waits. A
// panic there closes the connection, as it does in the handler.
func (r *Request) Resume(f func()) {
	r.Conn.server.resumed(func() {
		defer func() {
			if p := recover(); p != nil {
				r.abandon()
				r.Conn.panicked(p)
				r.Conn.fail()
			}
		}()
		f()
	})
}

// abandon lets go of what the server counts for a request that will not be answered.
func (r *Request) abandon() {
	if !r.answered.Load() {
		r.Conn.server.metrics.inFlight.Dec()
	}
	r.slot.request.release()
	r.slot.answer.release()
}

// Skip ends a request that the protocol does not answer (acks 0).
func (r *Request) Skip() { r.finish(nil, nil) }

// Hangup closes the connection once the answers before this one have left.
func (r *Request) Hangup() {
	r.slot.hangup = true
	r.finish(nil, nil)
}

const apiVersionsKey = 18

// appendHeader appends room for the size, and the response header.
func (r *Request) appendHeader(dst []byte, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.CorrelationID))
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}

func (r *Request) finish(parts []Part, release func()) {
	if r.answered.Swap(true) { // its place in the queue may be another's by now.
		r.Conn.server.log.Error("a request was answered twice; the second answer is dropped", r.Conn.client(), slog.Int("api_key", int(r.Key)))
		if release != nil {
			release()
		}
		return
	}
	r.Conn.server.metrics.finished(r.Key, r.slot.began)
	r.Conn.finish(r.slot, parts, release)
	if r.held {
		return // ReleaseFrame does the rest, before or after this
	}
	frame := r.frame
	r.frame, r.Body = nil, nil
	putBuffer(frame)
	r.slot.request.release()
}

// HoldFrame keeps the memory of the request, and all that was taken from Body, with the
// handler until it calls ReleaseFrame. Without it, that belongs to others as soon as the
// request is answered. Serve calls it before it starts what may answer, such as a timer.
func (r *Request) HoldFrame() { r.held = true }

// ReleaseFrame gives the memory of the request back that HoldFrame has kept: nothing of
// it is needed for the answer, which may have been given already. Neither Body nor what
// was taken from it may be used afterwards.
func (r *Request) ReleaseFrame() {
	frame, c := r.frame, r.Conn
	r.frame, r.Body = nil, nil
	c.mu.Lock()
	if !c.broken && !r.slot.done { // otherwise the answer takes the bytes along
		c.held -= r.slot.bytes
		r.slot.bytes = 0
	}
	c.mu.Unlock()
	putBuffer(frame)
	r.slot.request.release()
}

// Reserve says how many of the wanted bytes the answer may take of the memory
// that all connections share, and keeps them for it. It is false if nothing is
// left: the answer should then be empty. What counts in the end is the answer's
// size.
func (r *Request) Reserve(want int) (granted int, ok bool) {
	l := &r.slot.answer
	has := l.n.Load()
	granted, ok = l.of.share(has, want)
	l.set(max(has, int64(granted)))
	return granted, ok
}

// Grow counts n more bytes of an answer that is being made, and reports whether it
// may have them: as many as a usual batch always, more while the memory that
// answers share has them left.
func (r *Request) Grow(n int) bool {
	l := &r.slot.answer
	if l.n.Load()+int64(n) <= usualBatch {
		l.take(int64(n))
		return true
	}
	return l.takeWithin(int64(n))
}

// Unsized says that the answer will come later, by another goroutine, and that nobody
// knows how large it will be. A connection waits for some of those before its next
// request is read.
func (r *Request) Unsized() { r.Conn.answerUnsized(r.slot) }

// Unreserve gives back what is reserved, because the answer has to wait for other
// reasons than memory.
func (r *Request) Unreserve() { r.slot.answer.set(0) }
