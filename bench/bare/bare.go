// Package bare is a bare program in the place of a broker. With the same bytes it does
// only what every broker must do: it reads batches from a socket, checks their CRC,
// appends them to one file per partition, and writes them from the file to a socket.
// Almost all of its time goes to the kernel and to the checksum. So it is a reference:
// what a broker needs beyond it is the broker's own cost.
//
// It speaks as much of Kafka's protocol as the raw client of package load needs. It
// knows no topics, no producers, no groups and no retention, keeps its index in memory
// and forgets it when it ends. One goroutine serves a connection, with its own buffers,
// which it uses again for every request.
package bare

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// syncEvery is the time from one sync to the next of a bare program with Sync, unless a
// sync lasts longer. In a longer time the client would send all that it may have in flight,
// some 8 MB, and then wait: the pace would be the client's, and not the disk's.
const syncEvery = 2 * time.Millisecond

// Options say what the program does.
type Options struct {
	Dir  string // of the files
	Host string
	Port int  // answers fetches by read and write; the port after it answers them by sendfile
	Sync bool // answer a Produce request when its batches are on the disk
}

// Args returns the options as arguments of Main.
func (o *Options) Args() []string {
	return []string{"-dir", o.Dir, "-host", o.Host, "-port", strconv.Itoa(o.Port), fmt.Sprintf("-sync=%t", o.Sync)}
}

// Main runs the program that the arguments describe until it is killed or the context
// ends. It returns the exit code.
func Main(ctx context.Context, args []string, errOut io.Writer) int {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	flags.SetOutput(errOut)
	var o Options
	flags.StringVar(&o.Dir, "dir", "", "`directory` for the files, which must be empty")
	flags.StringVar(&o.Host, "host", "127.0.0.1", "`address` to listen on")
	flags.IntVar(&o.Port, "port", 9092, "`port` that answers fetches by read and write; the one after it answers them by sendfile")
	flags.BoolVar(&o.Sync, "sync", false, fmt.Sprintf("sync every %s, and answer after that", syncEvery))
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if err := run(ctx, o); err != nil {
		_, _ = fmt.Fprintf(errOut, "bare: %s\n", err)
		return 1
	}
	return 0
}

// run listens and serves.
func run(ctx context.Context, o Options) error {
	var listeners [2]net.Listener
	for i := range listeners {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port+i)))
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		defer func() { _ = listener.Close() }() // Serve has done it, unless the other one failed
		listeners[i] = listener
	}
	return Serve(ctx, o.Dir, o.Sync, listeners[0], listeners[1])
}

// Serve serves until the context ends, and then returns nil. The connections of
// copyListener get the bytes of files by read and write, those of sendfileListener by
// sendfile.
func Serve(ctx context.Context, dir string, synced bool, copyListener, sendfileListener net.Listener) error {
	d, err := os.Open(dir) //nolint:gosec // the directory of the measurement
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	defer func() { _ = d.Close() }() // opened only for its descriptor
	p := &program{dir: d, topics: map[string]string{}, logs: map[logName]*log{}}
	defer p.closeFiles()
	running, inner := errgroup.WithContext(ctx)
	if synced {
		p.syncer = &syncer{dir: d}
		running.Go(func() error { return p.syncer.run(inner) })
	}
	running.Go(func() error { return p.accept(inner, running, copyListener, copyPart) })
	running.Go(func() error { return p.accept(inner, running, sendfileListener, sendfilePart) })
	if err := running.Wait(); ctx.Err() == nil {
		return err //nolint:wrapcheck // says what it did
	}
	return nil
}

// sendBuffer is the size of a connection's send buffer in the kernel, Kafka's default.
// What waits in it stays in the processor's cache.
const sendBuffer = 100 << 10

// accept serves the connections of a listener.
func (p *program) accept(ctx context.Context, running *errgroup.Group, listener net.Listener, write partWriter) error {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		nc, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		tcp := nc.(*net.TCPConn)           //nolint:forcetypeassert // a TCP listener's
		_ = tcp.SetWriteBuffer(sendBuffer) // a hint
		c := newConn(p, tcp, write)
		running.Go(func() error {
			defer func() { _ = tcp.Close() }() // its client has an error, or nothing is under way
			defer context.AfterFunc(ctx, func() { _ = tcp.Close() })()
			c.serve()
			return nil
		})
	}
}
