package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// The raw client costs so little that the broker is what is measured. It sends
// requests that were made before, and throws away the records that it fetches. It
// sends the same requests to every broker. Kafka serves these versions since 2.4. They
// are the last ones without compact fields and topic IDs, so their answers are easy to
// read from a stream.
//
// All requests go to the first bootstrap address, so the cluster must have one broker.
const (
	rawConnections = 2 // the partitions are divided among them
	rawInFlight    = 5 // Produce requests on a connection, Kafka's max.in.flight.requests.per.connection
	rawFrames      = 4 // Produce requests that a connection sends in turn, with different values
	produceVersion = 8
	fetchVersion   = 11
	rawClientID    = "raw"
)

// rawConn is a connection to a broker. One goroutine may write while another reads.
type rawConn struct {
	net.Conn
	in      *bufio.Reader
	discard func(n int) error // throws away bytes that follow those in the reader

	left int   // bytes of the answer that are not read yet
	err  error // of reading, the first one
}

// headBuffer is small, so that few bytes of records are copied into it.
const headBuffer = 512

// eachConn divides the partitions among connections and calls f for each connection,
// in a goroutine of its own, with its partitions.
func (o *Options) eachConn(ctx context.Context, f func(c *rawConn, partitions []int32) error) error {
	all := make([]*rawConn, 0, rawConnections)
	defer func() {
		for _, c := range all {
			_ = c.Close() // nothing is under way, or an error says so
		}
	}()
	for range min(rawConnections, o.Partitions) {
		var dialer net.Dialer
		nc, err := dialer.DialContext(ctx, "tcp", o.seeds()[0])
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		all = append(all, &rawConn{Conn: nc, in: bufio.NewReaderSize(nc, headBuffer), discard: discarder(nc)})
	}
	running, inner := errgroup.WithContext(ctx)
	for i, c := range all {
		var mine []int32
		for p := i; p < o.Partitions; p += rawConnections {
			mine = append(mine, int32(p)) //nolint:gosec // a small number
		}
		running.Go(func() error {
			defer context.AfterFunc(inner, func() { _ = c.Close() })()
			return f(c, mine)
		})
	}
	err := running.Wait()
	if err != nil && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err //nolint:wrapcheck // says what it did
}

// checkRaw refuses what the raw client does not do.
func (o *Options) checkRaw() error {
	switch {
	case o.Compression != "none":
		return fmt.Errorf("the raw client does not compress: %q", o.Compression)
	case o.Partitions < 1 || o.Size < 0 || o.Records < 1:
		return fmt.Errorf("%d records of %d bytes in %d partitions", o.Records, o.Size, o.Partitions)
	}
	return nil
}

// frame returns a request with its size in front.
func frame(req kmsg.Request, correlation int32) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(rawClientID)).AppendRequest(nil, req, correlation)
}

// setCorrelation sets the ID of a request that frame made.
func setCorrelation(frame []byte, id int32) { binary.BigEndian.PutUint32(frame[8:], uint32(id)) }

// begin reads the size and the header of the next answer.
func (c *rawConn) begin(correlation int32) {
	c.left = 4
	c.left = int(c.int32())
	if got := c.int32(); c.err == nil && got != correlation {
		c.err = fmt.Errorf("request %d got answer %d", correlation, got)
	}
}

// end returns the first error since the connection began, and one if there is more in
// the answer than was read.
func (c *rawConn) end() error {
	if c.err == nil && c.left != 0 {
		c.err = fmt.Errorf("%d bytes too many in the answer", c.left)
	}
	return c.err
}

// bytes reads n bytes, at most headBuffer. They are valid until the next read. After
// an error they are zeros.
func (c *rawConn) bytes(n int) []byte {
	if c.err == nil && n > c.left {
		c.err = fmt.Errorf("the answer ends %d bytes too early", n-c.left)
	}
	if c.err == nil {
		var p []byte
		if p, c.err = c.in.Peek(n); c.err == nil {
			c.left -= n
			_, c.err = c.in.Discard(n)
			return p
		}
		c.err = fmt.Errorf("read answer: %w", c.err)
	}
	return make([]byte, n)
}

func (c *rawConn) int16() int16 { return int16(binary.BigEndian.Uint16(c.bytes(2))) } //nolint:gosec // the protocol's
func (c *rawConn) int32() int32 { return int32(binary.BigEndian.Uint32(c.bytes(4))) } //nolint:gosec // the protocol's
func (c *rawConn) int64() int64 { return int64(binary.BigEndian.Uint64(c.bytes(8))) } //nolint:gosec // the protocol's

// count reads the length of an array. A null array has the length 0.
func (c *rawConn) count() int32 { return max(c.int32(), 0) }

// code reads an error code, and fails if it is not 0.
func (c *rawConn) code(of string) {
	if err := kerr.ErrorForCode(c.int16()); err != nil && c.err == nil {
		c.err = fmt.Errorf("%s: %w", of, err)
	}
}

// skipString throws away a string, which may be null.
func (c *rawConn) skipString() { c.skip(int(max(c.int16(), 0))) }

// skip throws away n bytes.
func (c *rawConn) skip(n int) {
	if c.err == nil && (n < 0 || n > c.left) {
		c.err = fmt.Errorf("%d bytes do not fit in the %d that are left of the answer", n, c.left)
	}
	if c.err != nil {
		return
	}
	c.left -= n
	buffered := min(n, c.in.Buffered())
	_, c.err = c.in.Discard(buffered)
	if c.err == nil && n > buffered {
		c.err = c.discard(n - buffered)
	}
	if c.err != nil {
		c.err = fmt.Errorf("read answer: %w", c.err)
	}
}

// readAndDiscard returns a function that throws away bytes by reading them into a
// buffer.
func readAndDiscard(in io.Reader) func(n int) error {
	buf := make([]byte, 256<<10)
	return func(n int) error {
		for n > 0 {
			got, err := in.Read(buf[:min(n, len(buf))])
			if n -= got; err != nil && n > 0 {
				return err //nolint:wrapcheck // the caller says what it read
			}
		}
		return nil
	}
}
