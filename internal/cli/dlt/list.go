package dlt

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// newListCommand is bote dlt ls: the dead-letter topics, or the records of one.
func newListCommand(s *tool.Streams, o *options) *cobra.Command {
	f := &filterFlags{}
	cmd := &cobra.Command{
		Use: "ls [TOPIC]", Aliases: []string{"list"},
		Short: "List dead-letter topics, or the open records of one",
		Long: "List the dead-letter topics of the cluster, or the open records of one of them.\n\n" +
			"Without TOPIC, the topics are those whose names end in " + strings.Join(dlt.Suffixes(), ", ") + ". With TOPIC, REASON says why\n" +
			"the delivery library gave the record up, and CLASS is the type of the error. A dash means that a record does not\n" +
			"have the value: a record of another program may have no reason and no group.",
		Example: "  bote dlt ls\n  bote dlt ls orders.dlt --since 24h",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.output.JSON()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return o.open(cmd.Context(), s, func(c *delivery.Client) error { return listDLTs(cmd, s, c, asJSON) })
			}
			return o.openTopic(cmd.Context(), s, args[0], func(c *delivery.Client, d *dlt.DLT) error {
				filter, err := f.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				letters, _, err := d.List(cmd.Context(), filter, nil, 0)
				if err != nil {
					return err
				}
				without := 0
				for _, l := range letters {
					if !l.HasHeaders() {
						without++
					}
				}
				warnNoHeaders(s, args[0], without, len(letters))
				return writeLetters(s.Out, letters, asJSON)
			})
		},
	}
	f.addFlags(cmd)
	return cmd
}

// summary is one line of bote dlt ls.
type summary struct {
	Topic     string     `json:"topic"`
	Open      int        `json:"open"`
	Redriven  int        `json:"redriven"`
	Discarded int        `json:"discarded"`
	Oldest    *time.Time `json:"oldest,omitempty"`
}

func listDLTs(cmd *cobra.Command, s *tool.Streams, c *delivery.Client, asJSON bool) error {
	topics, err := dlt.Topics(cmd.Context(), c)
	if err != nil {
		return err
	}
	w := verb.NewTable(s.Out, asJSON, "TOPIC", "OPEN", "REDRIVEN", "DISCARDED", "OLDEST")
	for _, topic := range topics {
		n, err := dlt.Open(c, topic).Count(cmd.Context(), dlt.Filter{})
		if err != nil {
			return err
		}
		sum := summary{Topic: topic, Open: n.Open, Redriven: n.Redriven, Discarded: n.Discarded}
		if !n.Oldest.IsZero() {
			sum.Oldest = &n.Oldest
		}
		if err := w.Row(sum, topic, n.Open, n.Redriven, n.Discarded, stamp(n.Oldest)); err != nil {
			return err
		}
	}
	return w.Flush()
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}

// letterJSON is a dead letter as JSON. Bytes that are not text are in base64, in a field of their own.
type letterJSON struct {
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	Timestamp   time.Time         `json:"timestamp"`
	Key         *string           `json:"key,omitempty"`
	KeyBase64   string            `json:"key_base64,omitempty"`
	Value       *string           `json:"value,omitempty"`
	ValueBase64 string            `json:"value_base64,omitempty"`
	Restored    bool              `json:"base64_undone,omitempty"`
	Origin      originJSON        `json:"origin"`
	Failure     *failureJSON      `json:"failure,omitempty"`
	Redrives    int               `json:"redrives"`
	State       *dlt.State        `json:"state,omitempty"`
	Headers     []letterHeaderRow `json:"headers,omitempty"`
}

type originJSON struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	Group     string    `json:"group,omitempty"`
}

type failureJSON struct {
	Reason  string `json:"reason,omitempty"`
	Class   string `json:"class"`
	Cause   string `json:"cause,omitempty"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
	Key     bool   `json:"key,omitempty"`
}

type letterHeaderRow struct {
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
}

// textOrBase64 returns the bytes as text, or in base64 if they are not text. One of the two is set.
func textOrBase64(b []byte) (text *string, coded string) {
	if b == nil {
		return nil, ""
	}
	if utf8.Valid(b) {
		t := string(b)
		return &t, ""
	}
	return nil, base64.StdEncoding.EncodeToString(b)
}

func newLetterJSON(l dlt.Letter, withHeaders bool) letterJSON {
	out := letterJSON{
		Partition: l.Record.Partition, Offset: l.Record.Offset, Timestamp: l.Record.Timestamp.UTC(),
		Restored: l.Restored, Redrives: l.Redrives,
		Origin: originJSON{l.Origin.Topic, l.Origin.Partition, l.Origin.Offset, l.Origin.Timestamp.UTC(), l.Origin.Group},
	}
	out.Key, out.KeyBase64 = textOrBase64(l.Key)
	out.Value, out.ValueBase64 = textOrBase64(l.Value)
	if f := l.Failure; f != nil {
		out.Failure = &failureJSON{string(f.Reason), f.Class, f.Cause, f.Message, f.Stack, f.Key}
	}
	if !l.Open() {
		out.State = &l.State
	}
	if withHeaders {
		for _, h := range l.Record.Headers {
			row := letterHeaderRow{Name: h.Key}
			if number, ok := dlt.HeaderText(h); ok {
				row.Text = number
				out.Headers = append(out.Headers, row)
				continue
			}
			text, coded := textOrBase64(h.Value)
			if text != nil && printable(*text) {
				row.Text = *text
			} else if text != nil {
				coded = base64.StdEncoding.EncodeToString(h.Value)
			}
			row.Base64 = coded
			out.Headers = append(out.Headers, row)
		}
	}
	return out
}

// printable reports whether s is text. Binary numbers may happen to be valid UTF-8.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' })
}

func writeLetters(out io.Writer, letters []dlt.Letter, asJSON bool) error {
	w := verb.NewTable(out, asJSON, "AT", "TIME", "GROUP", "ORIGIN", "REASON", "CLASS", "STATE", "KEY", "MESSAGE")
	for _, l := range letters {
		f := l.Failure
		if f == nil {
			f = &delivery.Failure{}
		}
		err := w.Row(newLetterJSON(l, false), l.Place(), stamp(l.Record.Timestamp), l.Origin.Group,
			fmt.Sprintf("%s-%d@%d", l.Origin.Topic, l.Origin.Partition, l.Origin.Offset),
			f.Reason, f.Class, l.State.Action, oneLine(string(l.Key), 40), oneLine(f.Message, 80))
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// oneLine makes one line of a text and shortens it for a cell.
func oneLine(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// newShowCommand is bote dlt show: one record with all its fields and headers.
func newShowCommand(s *tool.Streams, o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "show TOPIC PARTITION:OFFSET",
		Short:   "Show one dead-lettered record and its headers",
		Example: "  bote dlt show orders.dlt 0:12",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.output.JSON()
			if err != nil {
				return err
			}
			place, err := dlt.ParsePlace(args[1])
			if err != nil {
				return verb.UsageError{Err: fmt.Errorf("show needs PARTITION:OFFSET, not %q", args[1])}
			}
			return o.openTopic(cmd.Context(), s, args[0], func(_ *delivery.Client, d *dlt.DLT) error {
				l, err := d.Get(cmd.Context(), place)
				if err != nil {
					return err
				}
				if !l.HasHeaders() {
					s.Remark("Warning: the record has no dead-letter headers: is %s a dead-letter topic?\n", args[0])
				}
				if asJSON {
					return verb.WriteJSON(s.Out, newLetterJSON(l, true))
				}
				showLetter(s, l)
				return nil
			})
		},
	}
}

func showLetter(s *tool.Streams, l dlt.Letter) {
	s.Printf("at:        %s\ntime:      %s\n", l.Place(), stamp(l.Record.Timestamp))
	s.Printf("origin:    %s-%d@%d of %s\n", l.Origin.Topic, l.Origin.Partition, l.Origin.Offset, stamp(l.Origin.Timestamp))
	s.Printf("group:     %s\nredrives:  %d\n", cmp.Or(l.Origin.Group, "-"), l.Redrives)
	if !l.Open() {
		s.Printf("state:     %s\n", stateText(l.State))
	}
	if f := l.Failure; f != nil {
		s.Printf("reason:    %s\nclass:     %s\ncause:     %s\nmessage:   %s\n",
			cmp.Or(string(f.Reason), "-"), f.Class, cmp.Or(f.Cause, "-"), f.Message)
	}
	s.Printf("headers:\n")
	for _, h := range newLetterJSON(l, true).Headers {
		value := h.Text
		if h.Base64 != "" {
			value = "base64 " + h.Base64
		}
		s.Printf("  %s: %s\n", h.Name, oneLine(value, 200))
	}
	if l.Restored {
		s.Printf("key and value are shown decoded; in the record they are base64 in a JSON string\n")
	}
	s.Printf("key:       %s\nvalue:     %s\n", bytesText(l.Key), bytesText(l.Value))
}

// stateText says what was done with a letter, and where it went and why if that is known.
func stateText(st dlt.State) string {
	text := fmt.Sprintf("%s at %s by %s", st.Action, stamp(st.At), cmp.Or(st.Actor, "-"))
	if st.Target != "" {
		text += ", to " + st.Target
	}
	if st.Reason != "" {
		text += ": " + st.Reason
	}
	return text
}

func bytesText(b []byte) string {
	text, coded := textOrBase64(b)
	switch {
	case b == nil:
		return "null"
	case text != nil:
		return *text
	default:
		return "base64 " + coded
	}
}

// newCountCommand is bote dlt count: counts by reason, error class, origin and group.
func newCountCommand(s *tool.Streams, o *options) *cobra.Command {
	f := &filterFlags{}
	cmd := &cobra.Command{
		Use:   "count TOPIC",
		Short: "Count the records of a dead-letter topic by reason, error class, origin and group",
		Long: "Count the records of a dead-letter topic by reason, error class, origin and group.\n\n" +
			"Redriven and discarded records count too. A dash means that records do not have the value:\n" +
			"\"group -\" counts the records that do not say which group gave them up.",
		Example: "  bote dlt count orders.dlt\n  bote dlt count orders.dlt --since 24h",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.output.JSON()
			if err != nil {
				return err
			}
			return o.openTopic(cmd.Context(), s, args[0], func(c *delivery.Client, d *dlt.DLT) error {
				filter, err := f.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				n, err := d.Count(cmd.Context(), filter)
				if err != nil {
					return err
				}
				warnNoHeaders(s, args[0], n.NoHeaders, n.Total)
				return writeCounts(s.Out, n, asJSON)
			})
		},
	}
	f.addFlags(cmd)
	return cmd
}

func writeCounts(out io.Writer, n dlt.Counts, asJSON bool) error {
	if asJSON {
		return verb.WriteJSON(out, map[string]any{
			"total": n.Total, "open": n.Open, "redriven": n.Redriven, "discarded": n.Discarded, "no_headers": n.NoHeaders,
			"by_reason": n.ByReason, "by_class": n.ByClass, "by_origin": n.ByOrigin, "by_group": n.ByGroup,
			"oldest": stamp(n.Oldest), "newest": stamp(n.Newest),
		})
	}
	w := verb.NewTable(out, false, "WHAT", "VALUE", "COUNT")
	w.Cells("total", "", n.Total)
	w.Cells("open", "", n.Open)
	w.Cells("redriven", "", n.Redriven)
	w.Cells("discarded", "", n.Discarded)
	for _, by := range []struct {
		name   string
		counts map[string]int
	}{{"reason", n.ByReason}, {"class", n.ByClass}, {"origin", n.ByOrigin}, {"group", n.ByGroup}} {
		for _, value := range slices.Sorted(maps.Keys(by.counts)) {
			w.Cells(by.name, value, by.counts[value])
		}
	}
	if n.Total > 0 {
		w.Cells("oldest", stamp(n.Oldest), "")
		w.Cells("newest", stamp(n.Newest), "")
	}
	return w.Flush()
}
