package wire

import (
	"encoding/binary"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request is one request. It must be answered exactly once: by Reply, ReplyParts, Skip
// or Hangup.
type Request struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string
	// Body is nil for an ApiVersions request of a version that the handler does not
	// accept.
	Body kmsg.Request
	Conn *Conn

	frame     *[]byte
	frameHeld bool         // the handler has the frame until ReleaseFrame; set before anybody can answer
	state     atomic.Int32 // one of the following
	slot      *slot
}

// States of a request.
const (
	inProgress int32 = iota
	answered         // or skipped
	abandoned        // a panic ended it
)

// header is what precedes a request's body.
type header struct {
	key, version  int16
	correlationID int32
	clientID      string
}

// parseHeader reads a request header of version 2 if flexible says so, and else of
// version 1. The client ID is not compact in either version.
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

// skipTags skips a section of tagged fields.
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

// Reply answers with a message. In all versions, an ApiVersions answer has response
// header 0; clients could not read it otherwise.
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
	// File, if not nil, is sent instead of Bytes: Size bytes from At on.
	File *os.File
	At   int64
	Size int
}

func (p *Part) len() int { return len(p.Bytes) + p.Size }

// ReplyParts answers with a body in parts, which are sent as they are. release is called
// when they have been sent or never will be.
func (r *Request) ReplyParts(flexible bool, parts []Part, release func()) {
	head := r.appendHeader(make([]byte, 0, 16), flexible)
	size := len(head) - 4
	for i := range parts {
		size += parts[i].len()
	}
	binary.BigEndian.PutUint32(head, uint32(size))
	r.finish(append([]Part{{Bytes: head}}, parts...), release)
}

// Resume continues a request on a new goroutine, for which Close waits. A panic there
// closes the connection, as it does in the handler.
func (r *Request) Resume(f func()) {
	r.slot.resumed = true
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

// abandon releases what the server counts for a request that a panic ended. The buffer is
// not reused: another goroutine may still use it.
func (r *Request) abandon() {
	unanswered := r.state.CompareAndSwap(inProgress, abandoned)
	if unanswered {
		r.Conn.server.metrics.inFlight.Dec()
	}
	if unanswered || r.frameHeld {
		discardBuffer(r.frame)
		r.frame = nil
	}
	r.slot.request.release()
	r.slot.answer.release()
}

// Skip ends a request that the protocol does not answer (acks=0).
func (r *Request) Skip() { r.finish(nil, nil) }

// Hangup closes the connection once the answers before this one are sent.
func (r *Request) Hangup() {
	r.slot.hangup = true
	r.finish(nil, nil)
}

const apiVersionsKey = 18

// appendHeader appends four bytes for the size, and the response header.
func (r *Request) appendHeader(dst []byte, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.CorrelationID))
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}

func (r *Request) finish(parts []Part, release func()) {
	if !r.state.CompareAndSwap(inProgress, answered) { // its slot may belong to another request by now
		if r.state.Load() == answered {
			r.Conn.server.log.Error("a request was answered twice; the second answer is dropped", r.Conn.client(), slog.Int("api_key", int(r.Key)))
		}
		if release != nil {
			release()
		}
		return
	}
	r.Conn.server.metrics.finished(r.Key, r.slot.began)
	r.Conn.finish(r.slot, parts, release)
	if r.frameHeld {
		return // ReleaseFrame does the rest, before or after this
	}
	frame := r.frame
	r.frame, r.Body = nil, nil
	putBuffer(frame)
	r.slot.request.release()
}

// HoldFrame keeps the request's buffer, and everything in Body, for the handler until it
// calls ReleaseFrame. Without HoldFrame, the buffer is reused as soon as the request is
// answered. Serve calls HoldFrame before it starts anything that may answer, such as a
// timer.
func (r *Request) HoldFrame() { r.frameHeld = true }

// ReleaseFrame gives back the buffer that HoldFrame kept, whether or not the request is
// answered already. Afterwards neither Body nor anything taken from it may be used.
func (r *Request) ReleaseFrame() {
	frame, c := r.frame, r.Conn
	r.frame, r.Body = nil, nil
	c.mu.Lock()
	if !c.broken && !r.slot.done { // else the bytes are released with the answer
		c.heldBytes -= r.slot.bytes
		r.slot.bytes = 0
	}
	c.mu.Unlock()
	putBuffer(frame)
	r.slot.request.release()
}

// Reserve returns how many of the wanted bytes the answer may use of the memory that all
// connections share, and reserves them. It returns false if nothing is left: the answer
// should then be empty. In the end, the answer's real size counts.
func (r *Request) Reserve(want int) (granted int, ok bool) {
	l := &r.slot.answer
	has := l.n.Load()
	granted, ok = l.of.share(has, want)
	l.set(max(has, int64(granted)))
	return granted, ok
}

// Grow counts n more bytes for an answer that is being built, and reports whether the
// answer may have them. Up to the size of a usual batch it always may; beyond that, as
// long as the memory for answers has them left.
func (r *Request) Grow(n int) bool {
	l := &r.slot.answer
	if l.n.Load()+int64(n) <= usualBatch {
		l.take(int64(n))
		return true
	}
	return l.takeWithin(int64(n))
}

// Unsized says that another goroutine will answer later, and that nobody knows how large
// the answer will be. If a connection has several such requests, its reader waits for
// one of them before it reads the next request.
func (r *Request) Unsized() { r.Conn.answerUnsized(r.slot) }

// Unreserve gives back the reserved bytes, because the answer has to wait for something
// other than memory.
func (r *Request) Unreserve() { r.slot.answer.set(0) }
