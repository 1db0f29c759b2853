package cli

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
)

// errEnough ends the loop when --max-messages were read.
var errEnough = errors.New("enough records")

// run reads until a limit, an error or the context ends it, and then says how many records it had.
func (c *consoleConsumer) run(ctx context.Context) int {
	who := identity{kind: "Consumer", id: "console-consumer", extra: ", groupId=" + c.group, bootstrap: true, failure: "Failed to construct kafka consumer"}
	if c.group == "" {
		who.extra = ", groupId=null"
	}
	settings := &clientSettings{properties: c.settings}
	if c.include != "" { // an expression creates no topics
		settings.properties = maps.Clone(c.settings)
		settings.properties["allow.auto.create.topics"] = "false"
	}
	commits := newCommitter()
	opts, err := consumerOptions(settings, c.group, commits)
	if err != nil {
		return c.failed(err)
	}
	what, err := c.subscription(ctx)
	if err != nil {
		return c.end(ctx, err)
	}
	opts = append(opts, what...)
	conn, err := connect(ctx, c.s, who, c.servers, c.settings, opts...)
	if err != nil {
		return c.failed(err)
	}
	commits.start(conn)

	out := bufio.NewWriterSize(c.s.out, 64<<10)
	err = c.read(ctx, conn, out, commits)
	if flushErr := out.Flush(); flushErr != nil && err == nil {
		err = flushErr
	}
	conn.silence()
	commits.commit(context.WithoutCancel(ctx))
	conn.Close()
	return c.end(ctx, err)
}

// end writes what is said at the end, in Kafka's order, and picks the exit code.
func (c *consoleConsumer) end(ctx context.Context, err error) int {
	terminating := "Error processing message, terminating consumer process: "
	code := exitOK
	var unknown error
	switch x, isException := errors.AsType[*exception](err); {
	case err == nil, errors.Is(err, errEnough):
	case ctx.Err() != nil:
		code = interrupted(ctx)
	case isBrokenPipe(err):
		c.s.remark("Unable to write to standard out, closing consumer.\n")
	case isException && (x.class == classTimeout || x.class == classInvalid):
		c.s.log(levelError, loggerConsumer, "%s", terminating)
		c.s.remark("%s\n", x.named())
	default:
		unknown, code = err, exitError
	}
	if c.set.has("enable-systest-events") {
		c.s.printf("shutdown_complete\n")
	}
	c.s.remark("Processed a total of %d messages\n", c.count)
	if unknown != nil {
		return c.failed(unknown)
	}
	return code
}

// subscription says what is read.
func (c *consoleConsumer) subscription(ctx context.Context) ([]kgo.Opt, error) {
	switch {
	case c.set.has("partition"):
		offset := kgo.NewOffset().At(c.offset)
		switch c.offset {
		case atEarliest:
			offset = kgo.NewOffset().AtStart()
		case atLatest:
			offset = kgo.NewOffset().AtEnd()
		}
		return []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {c.partition: offset}})}, nil
	case c.include == "":
		return []kgo.Opt{kgo.ConsumeTopics(c.topic)}, nil
	}
	re, err := compileJavaRegex(c.include)
	if err != nil {
		return nil, &exception{class: classRuntime, text: c.include + " is an invalid regex.", cause: err}
	}
	if expr, ok := re.linearText(); ok {
		return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics(expr)}, nil
	}
	c.included = re
	names, err := c.awaitIncluded(ctx)
	return []kgo.Opt{kgo.ConsumeTopics(names...)}, err
}

// awaitIncluded waits until there is a topic that --include means. It is for expressions that the client does not know.
func (c *consoleConsumer) awaitIncluded(ctx context.Context) ([]string, error) {
	conn, err := connect(ctx, c.s, identity{kind: "Consumer", id: "console-consumer", extra: ", groupId=" + c.group, failure: "Failed to construct kafka consumer"}, c.servers, c.settings)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for tries := 1; ; tries++ {
		names, err := c.includedTopics(ctx, conn)
		if err != nil || len(names) > 0 {
			return names, err
		}
		if !sleep(ctx, backoff(tries)) {
			return nil, ctx.Err()
		}
	}
}

func (c *consoleConsumer) includedTopics(ctx context.Context, conn *connection) ([]string, error) {
	topics, err := conn.topics(ctx, "metadata")
	if err != nil {
		return nil, err
	}
	c.looked = time.Now()
	var names []string
	for _, t := range topics {
		if c.included.MatchString(t.name) && !isInternal(t) {
			names = append(names, t.name)
		}
	}
	return names, nil
}

// includeNew adds topics that came after the start, as often as a client looks at the cluster.
func (c *consoleConsumer) includeNew(ctx context.Context, conn *connection) {
	settings := &clientSettings{properties: c.settings}
	if c.included == nil || time.Since(c.looked) < settings.millis("metadata.max.age.ms", 300_000) {
		return
	}
	if names, err := c.includedTopics(ctx, conn); err == nil { // else the next look will do
		conn.AddConsumeTopics(names...)
	}
}

func (c *consoleConsumer) read(ctx context.Context, conn *connection, out *bufio.Writer, commits *committer) error {
	r := &reader{set: c.set}
	limit, wait := r.int32("max-messages", -1), r.int64("timeout-ms", -1)
	if r.err != nil {
		return r.err
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
	if c.topic != "" && !c.settings.off("allow.auto.create.topics") {
		gate := topicGate{conn: conn, topic: c.topic}
		if x := gate.pass(deadline.ctx); x != nil {
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
			if denied := authenticationError(f.Err); denied != nil {
				return denied
			}
			if errors.Is(f.Err, kgo.ErrClientClosed) {
				return f.Err
			}
		}
	}
}

// lookUpAgain goes on with a topic that was deleted and created again. The client would ask for the ID of the old one for
// ever.
func (c *consoleConsumer) lookUpAgain(conn *connection, commits *committer, topic string) {
	c.s.log(levelWarn, loggerMetadata, "%s Topic %s was deleted or recreated; it is looked up again.", conn.who(), topic)
	commits.forget(topic)
	conn.PurgeTopicsFromConsuming(topic)
	switch {
	case c.set.has("partition"):
		conn.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {c.partition: kgo.NewOffset().AtStart()}})
	case c.include == "" || c.included != nil:
		conn.AddConsumeTopics(topic)
	}
}

// poll waits for records, no longer than until the next commit or the next look at the topics is due.
func (c *consoleConsumer) poll(ctx context.Context, conn *connection, commits *committer) kgo.Fetches {
	if commits.enabled {
		commits.due(ctx)
	}
	wait := commits.interval
	if c.included != nil && !commits.enabled {
		wait = time.Second
	}
	if wait == 0 || !commits.enabled && c.included == nil {
		return conn.PollFetches(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return conn.PollFetches(ctx)
}

// write formats what was fetched, up to the limit, and marks it as read.
func (c *consoleConsumer) write(out io.Writer, fetches kgo.Fetches, limit int64, commits *committer) error {
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		c.count++
		if err := c.format.write(out, rec); err != nil {
			x, ok := errors.AsType[*exception](err)
			if !ok || !c.set.has("skip-message-on-error") {
				return err
			}
			c.s.log(levelError, loggerConsumer, "Error processing message, skipping this message: ")
			c.s.remark("%s\n", x.named())
		}
		commits.read(rec)
		if limit > 0 && c.count >= limit {
			for !it.Done() {
				commits.left(it.Next())
			}
			return errEnough
		}
	}
	return nil
}

// deadline is a context that ends when no record came for a while.
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

// reason is why waiting ended: the caller's context, the time-out without a text, or else the error itself.
func (d *deadline) reason(err error) error {
	switch {
	case d.parent.Err() != nil:
		return d.parent.Err()
	case d.ctx.Err() != nil:
		return &exception{class: classTimeout}
	}
	return err
}

// isBrokenPipe reports whether a write failed because the reader is gone.
func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
