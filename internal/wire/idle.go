package wire

import (
	"errors"
	"os"
	"time"
)

// Most connections are idle most of the time, and there may be very many. So an idle
// connection has no buffer and no writer, and a goroutine that does nothing but wait for a
// byte takes its reader's place: a stack that has served requests is never as small again.

const (
	// After fewRequests requests, a reader waits up to drowsy for the next one before it
	// gives up its goroutine; before, it does so at once. Many connections send no more.
	fewRequests = 8
	drowsy      = time.Second
)

// errIdle ends the reader of a connection that is idle.
var errIdle = errors.New("idle")

// awaitByte waits for the first byte of a frame, or returns errIdle.
func (c *Conn) awaitByte() error {
	idle := c.server.cfg.IdleTimeout
	for c.in.Buffered() == 0 {
		wait, mayDoze := idle, c.raw != nil && c.in.missed == nil
		if mayDoze && c.served < fewRequests {
			return c.endIdle(idle)
		}
		if mayDoze {
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
		case mayDoze:
			return c.endIdle(idle - wait)
		default:
			if idle = c.idleLeft(); idle <= 0 {
				return err
			}
		}
	}
	return nil
}

// endIdle returns errIdle, and leaves a deadline for doze.
func (c *Conn) endIdle(timeout time.Duration) error {
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
