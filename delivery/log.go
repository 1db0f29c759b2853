package delivery

import (
	"context"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

const (
	gateLines  = 10               // how many lines of one class may be written
	gateWindow = 10 * time.Second // in this time
)

// logGate bounds how many log lines of one class are written, so that an
// outage does not fill a disk.
type logGate struct {
	clock Clock

	mu      sync.Mutex
	windows map[string]*gateCount
}

type gateCount struct {
	begun      time.Time
	lines      int
	suppressed int
}

func newLogGate(c Clock) *logGate { return &logGate{clock: c, windows: make(map[string]*gateCount)} }

// allow tells whether a line of the class may be written, and how many have been
// suppressed since the last one.
func (g *logGate) allow(class string) (ok bool, suppressed int) {
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.windows[class]
	if w == nil {
		w = &gateCount{begun: now}
		g.windows[class] = w
	}
	if now.Sub(w.begun) >= gateWindow {
		w.begun, w.lines = now, 0
	}
	if w.lines >= gateLines {
		w.suppressed++
		return false, 0
	}
	w.lines++
	suppressed, w.suppressed = w.suppressed, 0
	return true, suppressed
}

// allowOnce is true the first time.
func (g *logGate) allowOnce(class string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.windows[class] != nil {
		return false
	}
	g.windows[class] = &gateCount{}
	return true
}

// logFailure logs one failure of the task's record: never its value, and its
// key only on request. ERROR lines are all written, others are bounded.
func (t *task) logFailure(level slog.Level, msg string, err error, more ...slog.Attr) {
	l := t.l()
	ctx := context.Background()
	if !t.ln.log.Enabled(ctx, level) {
		return
	}
	suppressed := 0
	if level < slog.LevelError {
		var ok bool
		if ok, suppressed = l.gate.allow(msg + ErrorClass(err)); !ok {
			return
		}
	}
	attrs := append([]slog.Attr{
		slog.Int64("offset", t.it.rec.Offset),
		slog.Int("attempt", t.chainAttempt),
		slog.String("error_class", ErrorClass(err)),
		slog.Any("err", err),
	}, more...)
	if l.cfg.logKeys {
		attrs = append(attrs, slog.String("key", string(t.it.rec.Key)))
	} else if t.it.rec.Key != nil {
		attrs = append(attrs, slog.String("key_hash", keyHash(t.it.rec.Key)))
	}
	if stack := stackOf(err); stack != "" {
		attrs = append(attrs, slog.String("stack", cutText(stack, maxStackBytes)))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	t.ln.log.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // callers pass constants.
}

func keyHash(key []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(key)
	return strconv.FormatUint(h.Sum64(), 16)
}
