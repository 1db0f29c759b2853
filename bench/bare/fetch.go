package bare

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// fileStep is how much of a file is read at a time, so that it is still in the
// processor's cache when it is sent.
const fileStep = 128 << 10

// fetch answers a Fetch request at once, with what there is.
func (c *conn) fetch() error {
	topic, most, err := c.wanted()
	if err != nil {
		return err
	}
	size := len(c.out) - 4 + 4 + 2 + 4 + 4 + 2 + len(topic) + 4
	for i := range c.parts {
		p := &c.parts[i]
		if most -= p.size; most < 0 && i > 0 {
			p.size = 0
		}
		size += partHead + p.size
	}
	binary.BigEndian.PutUint32(c.out, uint32(size))     //nolint:gosec // at most what the client wants
	c.out = append(c.out, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // throttle time, no error, no session
	c.out = append(c.out, 0, 0, 0, 1)
	c.out = binary.BigEndian.AppendUint16(c.out, uint16(len(topic))) //nolint:gosec // an int16
	c.out = append(c.out, topic...)
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(c.parts))) //nolint:gosec // a small number
	for _, p := range c.parts {
		c.out = p.appendHead(c.out)
		if p.size == 0 {
			continue
		}
		if err := c.writePart(c, p); err != nil {
			return err
		}
		c.out = c.out[:0]
	}
	_, err = c.tcp.Write(c.out) // nothing but the heads of empty partitions
	return err                  //nolint:wrapcheck // it only ends the connection
}

// wanted reads a Fetch request of one topic and finds the parts of its partitions. It
// also returns the largest size of the answer.
func (c *conn) wanted() (topic string, most int, err error) {
	in := kbin.Reader{Src: c.bytes(c.left)}
	in.Span(4 + 4 + 4) // replica, longest wait, fewest bytes
	most = int(in.Int32())
	in.Span(1 + 4 + 4) // isolation level, session
	if topics := in.Int32(); topics != 1 {
		return "", 0, fmt.Errorf("%d topics: %w", topics, errRequest)
	}
	topic = c.program.topic(in.Span(int(in.Int16())))
	c.parts = c.parts[:0]
	for range in.Int32() {
		partition := in.Int32()
		in.Span(4) // leader epoch
		offset := in.Int64()
		in.Span(8) // log start offset
		bytes := int(in.Int32())
		if !in.Ok() || c.err != nil {
			return "", 0, errRequest
		}
		l, err := c.program.log(logName{topic, partition})
		if err != nil {
			return "", 0, err
		}
		p := l.find(offset, bytes)
		p.partition = partition
		c.parts = append(c.parts, p)
	}
	return topic, most, c.err
}

// partHead is the number of bytes of a partition in an answer, without its batches.
const partHead = 4 + 2 + 8 + 8 + 8 + 4 + 4 + 4

// appendHead appends what comes before the batches of a partition.
func (p *part) appendHead(out []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(p.partition))     //nolint:gosec // as it came
	out = append(out, 0, 0)                                           // no error
	out = binary.BigEndian.AppendUint64(out, uint64(p.highWatermark)) //nolint:gosec // not negative
	out = binary.BigEndian.AppendUint64(out, uint64(p.highWatermark)) //nolint:gosec // last stable offset
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)                         // log start offset
	out = append(out, "\xff\xff\xff\xff\xff\xff\xff\xff"...)          // no aborted transactions, no preferred replica
	return binary.BigEndian.AppendUint32(out, uint32(p.size))         //nolint:gosec // a fetch is far smaller
}

// partWriter writes the bytes of the answer so far, and then a part of a file.
type partWriter func(c *conn, p part) error

// copyPart reads the file into a buffer that stays in the processor's cache, and writes
// that.
func copyPart(c *conn, p part) error {
	n := copy(c.body, c.out)
	for n > 0 || p.size > 0 {
		step := min(fileStep-n, p.size)
		if _, err := p.file.ReadAt(c.body[n:n+step], p.at); err != nil {
			return err //nolint:wrapcheck // it only ends the connection
		}
		if _, err := c.tcp.Write(c.body[:n+step]); err != nil {
			return err //nolint:wrapcheck // likewise
		}
		n, p.at, p.size = 0, p.at+int64(step), p.size-step
	}
	return nil
}

// sendfilePart lets the kernel send the file.
func sendfilePart(c *conn, p part) error {
	if _, err := c.tcp.Write(c.out); err != nil {
		return err //nolint:wrapcheck // it only ends the connection
	}
	return sendfile(c.tcp, p)
}
