package wire

import (
	"errors"
	"os"
	"time"
)

// Most connections are idle most of the time, and there may be very many. So an idle
// connection has no buffer and no writer, and a goroutine that does nothing but wait for a
// byte takes its reader's place: a stack that has served requests never becomes small again.

const (
	// fewRequests is how many requests a connection must have sent for its reader to wait
	// for the next one itself, for as long as drowsy. Many connections never send more.
	fewRequests = 8
	drowsy      = time.Second
)

// errIdle ends the reader of a connection that is idle.
var errIdle = errors.New("idle")

// awaitByte waits for the first byte of a frame, or returns errIdle.
func (c *Conn) awaitByte() error {
	idle := c.server.cfg.IdleTimeout
	for c.in.Buffered() == 0 {
		wait, dozes := idle, c.raw != nil && c.in.missed == nil
		if dozes && c.served < fewRequests {
			return c.startToDoze(idle)
		}
		if dozes {
			wait = min(drowsy, idle/2)
		}
		if err := c.nc.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		err := c.in.fill()
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case dozes:
			return c.startToDoze(idle - wait)
		case !c.busy():
			return err
		}
	}
	return nil
}

func (c *Conn) startToDoze(timeout time.Duration) error {
	if err := c.nc.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	return errIdle
}

// doze waits for a byte, or for the deadline, and then starts a reader.
func (c *Conn) doze() {
	c.in.awaitOne()
	go c.read()
}
