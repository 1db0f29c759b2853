package api

import (
	"encoding/binary"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// The fetch response is encoded by hand, so that records need not be copied: the
// result is a list of slices and parts of files, and those with records belong to the
// log. A test holds the encoding equal to kmsg's.

// encode returns the body of the answer in parts.
func (f *fetch) encode() []wire.Part {
	groups := f.group()
	e := fetchEncoder{version: f.version, flexible: f.version >= 12, buf: make([]byte, 0, 64+64*len(f.parts))}
	e.int32(0) // throttle
	if f.version >= 7 {
		e.int16(0) // error
		e.int32(f.id)
	}
	e.arrayLen(len(groups))
	for _, g := range groups {
		if f.version >= 13 {
			e.buf = append(e.buf, g[0].id[:]...)
		} else {
			e.string(g[0].name)
		}
		e.arrayLen(len(g))
		for _, p := range g {
			f.encodePart(&e, p)
		}
		e.noTags()
	}
	f.encodeNodes(&e)
	e.flush()
	return e.parts
}

// group groups the partitions of the answer by topic and keeps their order. Only
// neighbours share a topic entry, because the order matters more.
func (f *fetch) group() [][]*fetchPart {
	var groups [][]*fetchPart
	var lastName string
	var lastID topic.ID
	for i := range f.parts {
		p := &f.parts[i]
		if p.session != nil && !p.session.changed(p, p.code) && !f.full {
			continue
		}
		if n := len(groups); n > 0 && p.name == lastName && p.id == lastID {
			groups[n-1] = append(groups[n-1], p)
			continue
		}
		groups = append(groups, []*fetchPart{p})
		lastName, lastID = p.name, p.id
	}
	return groups
}

func (f *fetch) encodePart(e *fetchEncoder, p *fetchPart) {
	e.int32(p.index)
	e.int16(p.code)
	high, stable, start := p.read.HighWatermark, p.read.LastStableOffset, p.read.LogStartOffset
	if p.err != nil {
		high, stable, start = -1, -1, -1
	}
	e.int64(high)
	e.int64(stable)
	if f.version >= 5 {
		e.int64(start)
	}
	if f.isolation == 1 {
		e.arrayLen(0) // aborted transactions: there are none
	} else {
		e.arrayLen(-1)
	}
	if f.version >= 11 {
		e.int32(-1) // preferred read replica
	}
	e.records(&p.read)
	if !e.flexible {
		return
	}
	tags := byte(0)
	if p.read.Diverged {
		tags++
	}
	if p.hint.Node != nil {
		tags++
	}
	e.buf = append(e.buf, tags)
	if p.read.Diverged { // tag 0: the diverging epoch, 12 bytes and its own empty tags
		e.buf = append(e.buf, 0, 13)
		e.int32(p.read.Diverging.Epoch)
		e.int64(p.read.Diverging.Start)
		e.buf = append(e.buf, 0)
	}
	if p.hint.Node != nil { // tag 1: the current leader, 8 bytes and its own empty tags
		e.buf = append(e.buf, 1, 9)
		e.int32(p.hint.Node.ID)
		e.int32(p.hint.Epoch)
		e.buf = append(e.buf, 0)
	}
}

// encodeNodes writes the tagged fields of the whole answer: number 0, the nodes, if
// partitions name their leaders.
func (f *fetch) encodeNodes(e *fetchEncoder) {
	if !e.flexible || len(f.hints.nodes) == 0 {
		e.noTags()
		return
	}
	nodes := fetchEncoder{flexible: true}
	nodes.arrayLen(len(f.hints.nodes))
	for _, n := range f.hints.nodes {
		nodes.int32(n.ID)
		nodes.string(n.at.Host)
		nodes.int32(n.at.Port)
		if n.Rack == nil {
			nodes.buf = append(nodes.buf, 0)
		} else {
			nodes.string(*n.Rack)
		}
		nodes.noTags()
	}
	e.buf = append(e.buf, 1, 0)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(nodes.buf)))
	e.buf = append(e.buf, nodes.buf...)
}

// fetchEncoder writes fields into buf, and starts a new part where records go.
type fetchEncoder struct {
	version  int16
	flexible bool
	buf      []byte
	from     int
	parts    []wire.Part
}

func (e *fetchEncoder) int16(v int16) { e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(v)) }
func (e *fetchEncoder) int32(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }
func (e *fetchEncoder) int64(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }

// arrayLen writes the length of an array; -1 is null.
func (e *fetchEncoder) arrayLen(n int) {
	if e.flexible {
		e.buf = binary.AppendUvarint(e.buf, uint64(n+1))
		return
	}
	e.int32(int32(n))
}

func (e *fetchEncoder) string(s string) {
	if e.flexible {
		e.buf = binary.AppendUvarint(e.buf, uint64(len(s)+1))
	} else {
		e.int16(int16(len(s)))
	}
	e.buf = append(e.buf, s...)
}

func (e *fetchEncoder) noTags() {
	if e.flexible {
		e.buf = append(e.buf, 0)
	}
}

func (e *fetchEncoder) records(r *partition.Records) {
	e.arrayLen(r.Len())
	if r.Len() == 0 {
		return
	}
	e.flush()
	e.parts = append(e.parts, wire.Part{Bytes: r.Data, File: r.File, At: r.At, Size: r.Size})
}

// flush ends the current part. A later append may move buf: earlier parts keep the
// old memory, which is not written any more.
func (e *fetchEncoder) flush() {
	if len(e.buf) > e.from {
		e.parts = append(e.parts, wire.Part{Bytes: e.buf[e.from:len(e.buf):len(e.buf)]})
		e.from = len(e.buf)
	}
}
