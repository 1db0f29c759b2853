// Package broker starts and stops the brokers that are measured, Apache Kafka and bote,
// and the bare program beside them. Each has its own data directory and, if that is
// wanted, its own core. It measures how long they take to answer.
//
// It owns their settings and Kafka's installation. It does not put load on them.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
)

const host = "127.0.0.1"

const (
	answerWithin = 3 * time.Minute  // from exec to the first answer
	stopWithin   = 2 * time.Minute  // from the signal to the end
	dialEvery    = time.Millisecond // until the port is open
)

// Kind makes the processes of one kind of broker.
type Kind interface {
	// Prepare makes a directory for a broker that will listen on a port and the one after it.
	Prepare(ctx context.Context, dir string, port int) error
	// Command returns the broker's process, not started yet.
	Command(dir string, port int) *exec.Cmd
}

// Broker is a directory and the process that serves it, if there is one. It is not safe
// for concurrent use.
type Broker struct {
	kind Kind
	dir  string
	port int
	core int // anyCore, or where the process runs

	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

const anyCore = -1

// New prepares a directory, which must not exist yet, for a broker of a kind.
func New(ctx context.Context, kind Kind, dir string) (*Broker, error) {
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := kind.Prepare(ctx, dir, port); err != nil {
		return nil, fmt.Errorf("prepare broker: %w", err)
	}
	return &Broker{kind: kind, dir: dir, port: port, core: anyCore}, nil
}

// Pin restricts the processes that are started from now on to one core.
func (b *Broker) Pin(core int) { b.core = core }

// Address returns where the broker listens.
func (b *Broker) Address() string { return address(b.port) }

// SecondAddress returns the address with the next port, whose use depends on the kind.
func (b *Broker) SecondAddress() string { return address(b.port + 1) }

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// PID returns the ID of the process that was started last.
func (b *Broker) PID() int { return b.process.Process.Pid }

// Dir returns the directory that was given to New.
func (b *Broker) Dir() string { return b.dir }

// Start starts the process and returns how long it took from exec until it answered a
// first request.
func (b *Broker) Start(ctx context.Context) (time.Duration, error) {
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open the broker's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	b.process = b.kind.Command(b.dir, b.port)
	b.process.Stdout, b.process.Stderr = log, log
	began := time.Now()
	if err := b.exec(); err != nil {
		b.process = nil
		return 0, fmt.Errorf("start broker: %w", err)
	}
	process, ended := b.process, make(chan struct{})
	b.ended = ended
	go func() {
		defer close(ended)
		_ = process.Wait() // how it ended does not matter: it is killed
	}()
	if err := b.waitAnswer(ctx, began.Add(answerWithin)); err != nil {
		b.Kill()
		return 0, fmt.Errorf("start broker: %w: %s", err, b.lastWords())
	}
	return time.Since(began), nil
}

// exec starts the process, on its core.
func (b *Broker) exec() error {
	if b.core == anyCore {
		return b.process.Start() //nolint:wrapcheck // the caller says what it starts
	}
	return proc.StartOn(b.process, b.core) //nolint:wrapcheck // likewise
}

// waitAnswer waits until a request has been answered.
func (b *Broker) waitAnswer(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(dialEvery)
	defer tick.Stop()
	for {
		if b.answers(ctx, deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.ended:
			return errors.New("the process ended")
		case <-tick.C:
		}
	}
}

// answers sends one request and reports whether it was answered.
func (b *Broker) answers(ctx context.Context, deadline time.Time) bool {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", b.Address())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing is under way
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	return conn.SetDeadline(deadline) == nil && load.Ask(conn) == nil
}

// Alive reports whether the process runs.
func (b *Broker) Alive() bool {
	if b.process == nil {
		return false
	}
	select {
	case <-b.ended:
		return false
	default:
		return true
	}
}

// Stop asks the process to end and returns how long that took.
func (b *Broker) Stop(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := b.process.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, fmt.Errorf("stop broker: %w", err)
	}
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-b.ended:
		return time.Since(began), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("stop broker: %w", context.Cause(ctx))
	case <-timer.C:
		return 0, fmt.Errorf("stop broker: it runs after %s", stopWithin)
	}
}

// Kill ends the process as kill -9 does and waits until it is gone.
func (b *Broker) Kill() {
	if b.process == nil {
		return
	}
	_ = b.process.Process.Kill() // it may have ended already
	<-b.ended
}

// Remove kills the process and removes its directory.
func (b *Broker) Remove() error {
	b.Kill()
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("remove data directory: %w", err)
	}
	return nil
}

func (b *Broker) logFile() string { return filepath.Join(b.dir, "broker.log") }

// lastWords returns the last lines that the process wrote.
func (b *Broker) lastWords() string {
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		return "no log"
	}
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// freePorts returns a port that is free, and whose next port is free too.
func freePorts() (int, error) {
	for range 100 {
		var config net.ListenConfig
		first, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a port: %w", err)
		}
		port := first.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener's
		second, err := config.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
		_ = first.Close() // it was only a probe
		if err != nil {
			continue
		}
		_ = second.Close() // likewise
		return port, nil
	}
	return 0, errors.New("find a port: no two in a row are free")
}
