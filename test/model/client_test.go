package model_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// client is a connection that sends requests unchanged, and many at a time.
type client struct {
	conn  net.Conn
	form  *kmsg.RequestFormatter
	next  int32
	ended chan struct{}

	mu      sync.Mutex // guards what follows
	waiting []*call
	broken  bool
}

// call is a request and, once done is closed, its answer.
type call struct {
	resp kmsg.Response
	err  error
	done chan struct{}
}

// errNoAnswer is the error of a call that got no answer: a broker may close a
// connection, but must not keep silent.
var errNoAnswer = errors.New("no answer")

func dial(d *doors) (*client, error) {
	conn, err := d.enter()
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, form: kmsg.NewRequestFormatter(kmsg.FormatterClientID("model")), ended: make(chan struct{})}
	go c.read()
	return c, nil
}

// versions are the versions for some APIs that name topics instead of using IDs;
// other requests use their newest version.
var versions = map[int16]int16{0: 9, 1: 12, 3: 9, 8: 8, 9: 5, 11: 5, 14: 3, 12: 3, 13: 2}

func (c *client) send(req kmsg.Request) *call {
	version := req.MaxVersion()
	if v, ok := versions[req.Key()]; ok {
		version = v
	}
	req.SetVersion(version)
	k := &call{resp: req.ResponseKind(), done: make(chan struct{})}
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		k.err = net.ErrClosed
		close(k.done)
		return k
	}
	c.waiting = append(c.waiting, k)
	c.mu.Unlock()
	c.next++
	if _, err := c.conn.Write(c.form.AppendRequest(nil, req, c.next)); err != nil {
		_ = c.conn.Close() // the reader then ends all calls
	}
	return k
}

func (c *client) read() {
	defer close(c.ended)
	for {
		err := c.readOne()
		if err == nil {
			continue
		}
		c.mu.Lock()
		c.broken = true
		waiting := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		_ = c.conn.Close() // it is broken
		for _, k := range waiting {
			k.err = err
			close(k.done)
		}
		return
	}
}

func (c *client) readOne() error {
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		return err
	}
	p := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.conn, p); err != nil {
		return err
	}
	c.mu.Lock()
	k := c.waiting[0]
	c.waiting = c.waiting[1:]
	c.mu.Unlock()
	p = p[4:]
	if k.resp.IsFlexible() && k.resp.Key() != 18 {
		p = p[1:] // no tags
	}
	if err := k.resp.ReadFrom(p); err != nil {
		k.err = fmt.Errorf("decode %s: %w", kmsg.NameForKey(k.resp.Key()), err)
	}
	close(k.done)
	return nil
}

// patience is how long a call may take, by the bubble's clock.
const patience = 10 * time.Minute

// wait waits for the answer and returns it.
func (k *call) wait() (kmsg.Response, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-k.done:
		return k.resp, k.err
	case <-limit.C:
		return nil, errNoAnswer
	}
}

func (c *client) close() {
	_ = c.conn.Close() // the reader tells all waiting calls
	<-c.ended
}
