package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/javaregex"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

// errEnough ends the loop after --max-messages records.
var errEnough = errors.New("enough records")

// run reads until a limit, an error or the end of the context, prints the number of records, and returns the exit code.
func (c *consumer) run(ctx context.Context) int {
	who := client.Identity{Kind: "Consumer", ID: "console-consumer", Extra: ", groupId=" + c.group, Bootstrap: true, Failure: "Failed to construct kafka consumer"}
	if c.group == "" {
		who.Extra = ", groupId=null"
	}
	settings := &client.Settings{Properties: c.settings}
	if c.include != "" { // subscribing by an expression must not create topics
		settings.Properties = maps.Clone(c.settings)
		settings.Properties["allow.auto.create.topics"] = "false"
	}
	commits := client.NewCommitter()
	opts, err := client.ConsumerOptions(settings, c.group, commits)
	if err != nil {
		return c.failed(err)
	}
	what, err := c.subscription(ctx)
	if err != nil {
		return c.end(ctx, err)
	}
	opts = append(opts, what...)
	conn, err := client.Connect(ctx, c.s, who, c.servers, c.settings, opts...)
	if err != nil {
		return c.failed(err)
	}
	commits.Start(conn)

	out := bufio.NewWriterSize(c.s.Out, 64<<10)
	err = c.read(ctx, conn, out, commits)
	if flushErr := out.Flush(); flushErr != nil && err == nil {
		err = flushErr
	}
	conn.Silence()
	commits.Commit(context.WithoutCancel(ctx))
	conn.Close()
	return c.end(ctx, err)
}

// end prints the last lines in Kafka's order and returns the exit code.
func (c *consumer) end(ctx context.Context, err error) int {
	terminating := "Error processing message, terminating consumer process: "
	code := tool.ExitOK
	var unknown error
	switch x, isException := errors.AsType[*exception.Error](err); {
	case err == nil, errors.Is(err, errEnough):
	case ctx.Err() != nil:
		code = tool.Interrupted(ctx)
	case isBrokenPipe(err):
		c.s.Remark("Unable to write to standard out, closing consumer.\n")
	case isException && (x.Class == exception.Timeout || x.Class == exception.InvalidTopic):
		c.s.Log(tool.LevelError, loggerConsumer, "%s", terminating)
		c.s.Remark("%s\n", x.Named())
	default:
		unknown, code = err, tool.ExitError
	}
	if c.set.Has("enable-systest-events") {
		c.s.Printf("shutdown_complete\n")
	}
	c.s.Remark("Processed a total of %d messages\n", c.count)
	if unknown != nil {
		return c.failed(unknown)
	}
	return code
}

// subscription returns the options that say which topics or partition to read.
func (c *consumer) subscription(ctx context.Context) ([]kgo.Opt, error) {
	switch {
	case c.set.Has("partition"):
		offset := kgo.NewOffset().At(c.offset)
		switch c.offset {
		case client.AtEarliest:
			offset = kgo.NewOffset().AtStart()
		case client.AtLatest:
			offset = kgo.NewOffset().AtEnd()
		}
		return []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {c.partition: offset}})}, nil
	case c.include == "":
		return []kgo.Opt{kgo.ConsumeTopics(c.topic)}, nil
	}
	re, err := javaregex.Compile(c.include)
	if err != nil {
		return nil, &exception.Error{Class: exception.Runtime, Text: c.include + " is an invalid regex.", Cause: err}
	}
	if expr, ok := re.GoExpr(); ok {
		return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics(expr)}, nil
	}
	c.included = re
	names, err := c.awaitIncluded(ctx)
	return []kgo.Opt{kgo.ConsumeTopics(names...)}, err
}

// awaitIncluded waits until a topic matches --include, and returns the topics that do. It is for expressions that franz-go
// cannot match.
func (c *consumer) awaitIncluded(ctx context.Context) ([]string, error) {
	conn, err := client.Connect(ctx, c.s, client.Identity{Kind: "Consumer", ID: "console-consumer", Extra: ", groupId=" + c.group, Failure: "Failed to construct kafka consumer"}, c.servers, c.settings)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for tries := 1; ; tries++ {
		names, err := c.includedTopics(ctx, conn)
		if err != nil || len(names) > 0 {
			return names, err
		}
		if !client.Sleep(ctx, client.Backoff(tries)) {
			return nil, ctx.Err()
		}
	}
}

func (c *consumer) includedTopics(ctx context.Context, conn *client.Conn) ([]string, error) {
	topics, err := conn.Topics(ctx, "metadata")
	if err != nil {
		return nil, err
	}
	c.looked = time.Now()
	var names []string
	for _, t := range topics {
		if c.included.MatchString(t.Name) && !client.IsInternal(t) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// includeNew adds matching topics that were created after the start. It asks for them every metadata.max.age.ms, as often as
// clients refresh their metadata.
func (c *consumer) includeNew(ctx context.Context, conn *client.Conn) {
	settings := &client.Settings{Properties: c.settings}
	if c.included == nil || time.Since(c.looked) < settings.Millis("metadata.max.age.ms", 300_000) {
		return
	}
	if names, err := c.includedTopics(ctx, conn); err == nil { // after an error, the next call tries again
		conn.AddConsumeTopics(names...)
	}
}

func (c *consumer) read(ctx context.Context, conn *client.Conn, out *bufio.Writer, commits *client.Committer) error {
	r := &jopt.Reader{Set: c.set}
	limit, wait := r.Int32("max-messages", -1), r.Int64("timeout-ms", -1)
	if r.Err != nil {
		return r.Err
	}
	timeout := time.Duration(0)
	if wait >= 0 {
		timeout = max(time.Duration(wait)*time.Millisecond, time.Millisecond)
	}
	if limit == 0 {
		return nil
	}
	deadline := newDeadline(ctx, timeout)
	defer deadline.stop()
	if c.topic != "" && !c.settings.Off("allow.auto.create.topics") {
		gate := client.TopicGate{Conn: conn, Topic: c.topic}
		if x := gate.Pass(deadline.ctx); x != nil {
			return deadline.reason(x)
		}
	}
	for {
		c.includeNew(deadline.ctx, conn)
		fetches := c.poll(deadline.ctx, conn, commits)
		if fetches.NumRecords() > 0 {
			deadline.restart()
		}
		if err := c.write(out, fetches, int64(limit), commits); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if deadline.ctx.Err() != nil {
			return deadline.reason(deadline.ctx.Err())
		}
		for _, f := range fetches.Errors() {
			if errors.Is(f.Err, kerr.UnknownTopicID) {
				c.lookUpAgain(conn, commits, f.Topic)
				continue
			}
			if denied := client.AuthenticationError(f.Err); denied != nil {
				return denied
			}
			if errors.Is(f.Err, kgo.ErrClientClosed) {
				return f.Err
			}
		}
	}
}

// lookUpAgain makes the client look up a topic that was deleted and created again. Otherwise it would use the ID of the old
// topic for ever.
func (c *consumer) lookUpAgain(conn *client.Conn, commits *client.Committer, topic string) {
	c.s.Log(tool.LevelWarn, client.LoggerMetadata, "%s Topic %s was deleted or recreated; it is looked up again.", conn.Who(), topic)
	commits.Forget(topic)
	conn.PurgeTopicsFromConsuming(topic)
	switch {
	case c.set.Has("partition"):
		conn.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {c.partition: kgo.NewOffset().AtStart()}})
	case c.include == "" || c.included != nil:
		conn.AddConsumeTopics(topic)
	}
}

// poll waits for records until the next commit or the next call of includeNew is due.
func (c *consumer) poll(ctx context.Context, conn *client.Conn, commits *client.Committer) kgo.Fetches {
	if commits.Enabled {
		commits.Due(ctx)
	}
	wait := commits.Interval
	if c.included != nil && !commits.Enabled {
		wait = time.Second
	}
	if wait == 0 || !commits.Enabled && c.included == nil {
		return conn.PollFetches(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return conn.PollFetches(ctx)
}

// write formats the fetched records, up to the limit, and marks them as read.
func (c *consumer) write(out io.Writer, fetches kgo.Fetches, limit int64, commits *client.Committer) error {
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		c.count++
		if err := c.format.write(out, rec); err != nil {
			x, ok := errors.AsType[*exception.Error](err)
			if !ok || !c.set.Has("skip-message-on-error") {
				return err
			}
			c.s.Log(tool.LevelError, loggerConsumer, "Error processing message, skipping this message: ")
			c.s.Remark("%s\n", x.Named())
		}
		commits.Read(rec)
		if limit > 0 && c.count >= limit {
			for !it.Done() {
				commits.Left(it.Next())
			}
			return errEnough
		}
	}
	return nil
}

// deadline is a context that ends when no record has come for the timeout.
type deadline struct {
	ctx     context.Context //nolint:containedctx // the type is the context
	cancel  context.CancelFunc
	timer   *time.Timer
	timeout time.Duration
	parent  context.Context //nolint:containedctx // told apart from its own end
}

func newDeadline(parent context.Context, timeout time.Duration) *deadline {
	d := &deadline{parent: parent, timeout: timeout}
	d.ctx, d.cancel = context.WithCancel(parent)
	if timeout > 0 {
		d.timer = time.AfterFunc(timeout, d.cancel)
	}
	return d
}

func (d *deadline) restart() {
	if d.timer != nil {
		d.timer.Reset(d.timeout)
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.cancel()
}

// reason returns why the wait ended: the error of the parent context, a time-out exception without text, or err itself.
func (d *deadline) reason(err error) error {
	switch {
	case d.parent.Err() != nil:
		return d.parent.Err()
	case d.ctx.Err() != nil:
		return &exception.Error{Class: exception.Timeout}
	}
	return err
}

// isBrokenPipe reports whether a write failed because the reader of the pipe is gone.
func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
