package bare

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

const (
	headBuffer = 4 << 10      // for what is not a batch, as in the broker
	bodyBuffer = 1<<20 + 1024 // the largest batch, and the largest other request
)

// conn is a connection. Its goroutine owns everything except held.
type conn struct {
	program   *program
	tcp       *net.TCPConn
	writePart partWriter
	in        *bufio.Reader
	left      int    // bytes of the request that are not read yet
	err       error  // of reading, the first one
	body      []byte // a batch, or the rest of a request, or a part of a file
	out       []byte // an answer
	parts     []part // of files, in an answer
	held      heldAnswers
}

func newConn(p *program, tcp *net.TCPConn, write partWriter) *conn {
	return &conn{program: p, tcp: tcp, writePart: write, in: bufio.NewReaderSize(tcp, headBuffer), body: make([]byte, bodyBuffer)}
}

var errRequest = errors.New("not a request of the raw client")

// serve answers requests until the client closes the connection or makes a mistake.
func (c *conn) serve() {
	for {
		c.left = 4
		c.left = int(c.int32())
		key, version, correlation := c.int16(), c.int16(), c.int32()
		c.text(c.int16()) // client ID
		c.out = binary.BigEndian.AppendUint32(c.out[:0], 0)
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(correlation)) //nolint:gosec // as it came
		if c.err != nil {
			return
		}
		var err error
		switch {
		case key == int16(kmsg.Produce) && version == 8:
			err = c.produce()
		case key == int16(kmsg.Fetch) && version == 11:
			err = c.fetch()
		case key == int16(kmsg.ApiVersions) && version == 0:
			c.out = append(c.out, 0, 0, 0, 0, 0, 0) // no error, no APIs
			err = c.answer()
		default:
			return
		}
		if err != nil {
			return
		}
	}
}

// answer writes an answer without parts of files.
func (c *conn) answer() error {
	binary.BigEndian.PutUint32(c.out, uint32(len(c.out)-4)) //nolint:gosec // a small number
	_, err := c.tcp.Write(c.out)
	return err //nolint:wrapcheck // it only ends the connection
}

// bytes reads n bytes to the front of the body. After an error it returns zeros: n of
// them, but not more than the 8 bytes of the largest integer.
func (c *conn) bytes(n int) []byte {
	if c.err == nil && (n < 0 || n > min(c.left, len(c.body))) {
		c.err = errRequest
	}
	if c.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	c.left -= n
	_, c.err = io.ReadFull(c.in, c.body[:n])
	return c.body[:n]
}

func (c *conn) int16() int16 { return int16(binary.BigEndian.Uint16(c.bytes(2))) } //nolint:gosec // the protocol's
func (c *conn) int32() int32 { return int32(binary.BigEndian.Uint32(c.bytes(4))) } //nolint:gosec // the protocol's

// text reads a string to the front of the body, or nothing if it is null.
func (c *conn) text(n int16) []byte { return c.bytes(int(max(n, 0))) }

// Error codes.
const (
	none           = 0
	corruptMessage = 2
)

// produce appends the batches of a Produce request, each as soon as it has come.
func (c *conn) produce() error {
	c.text(c.int16()) // transactional ID
	c.bytes(2 + 4)    // acks, timeout
	topics := c.int32()
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(topics)) //nolint:gosec // as it came
	for range topics {
		name := c.text(c.int16())
		topic := c.program.topic(name)
		c.out = binary.BigEndian.AppendUint16(c.out, uint16(len(name))) //nolint:gosec // an int16
		c.out = append(c.out, name...)
		partitions := c.int32()
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(partitions)) //nolint:gosec // as it came
		for range partitions {
			partition := c.int32()
			b := record.Batch(c.bytes(int(c.int32())))
			if c.err != nil {
				return c.err
			}
			offset, code, err := c.program.append(logName{topic, partition}, b)
			if err != nil {
				return err
			}
			c.out = binary.BigEndian.AppendUint32(c.out, uint32(partition)) //nolint:gosec // as it came
			c.out = binary.BigEndian.AppendUint16(c.out, code)
			c.out = binary.BigEndian.AppendUint64(c.out, uint64(offset)) //nolint:gosec // not negative
			c.out = append(c.out, "\xff\xff\xff\xff\xff\xff\xff\xff"...) // no append time
			c.out = append(c.out, 0, 0, 0, 0, 0, 0, 0, 0)                // log start offset
			c.out = append(c.out, 0, 0, 0, 0, 0xff, 0xff)                // no refused records, no message
		}
		if c.err != nil {
			return c.err
		}
	}
	c.out = append(c.out, 0, 0, 0, 0) // throttle time
	if c.program.syncer == nil {
		return c.answer()
	}
	binary.BigEndian.PutUint32(c.out, uint32(len(c.out)-4)) //nolint:gosec // a small number
	c.program.syncer.hold(c, c.out)
	return c.err
}
