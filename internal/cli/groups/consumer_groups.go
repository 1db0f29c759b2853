package groups

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

// RunConsumerGroups is kafka-consumer-groups.
func RunConsumerGroups(ctx context.Context, s *tool.Streams, args []string) int {
	p := consumerGroupsParser()
	set, err := p.Parse(args)
	if err != nil {
		s.Remark("Exception in thread \"main\" %s\n", exception.Named(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, aboutConsumerGroups); done {
		return code
	}
	if err := checkConsumerGroups(s, set); err != nil {
		return p.Finish(s, err)
	}
	if set.Has("validate-regex") {
		return validateRegex(s, p, set)
	}
	err = consumerGroups(ctx, s, set)
	if u, ok := errors.AsType[*jopt.UsageError](err); ok {
		return p.PrintUsage(s, u.Text)
	}
	if exception.IsInterrupt(err) {
		return tool.ExitError
	}
	if err != nil {
		s.Printf("\nError: Executing consumer group command failed due to %s%s\n", err, exception.Causes(err))
	}
	return tool.ExitOK
}

func validateRegex(s *tool.Streams, p *jopt.Parser, set *jopt.Set) int {
	pattern, err := set.Text("validate-regex", "")
	if err != nil {
		return p.Finish(s, err)
	}
	_, err = regexp.Compile(pattern)
	if err == nil {
		s.Printf("The regular expression `%s` is valid.\n", pattern)
		return tool.ExitOK
	}
	why := err.Error()
	if _, after, ok := strings.Cut(why, "error parsing regexp: "); ok {
		why, _, _ = strings.Cut(after, ": `")
	}
	s.Printf("The regular expression `%s` is invalid: %s.\n", pattern, why)
	return tool.ExitOK
}

// command is one call of the tool.
type command struct {
	s    *tool.Streams
	set  *jopt.Set
	conn *client.Conn
	adm  *kadm.Client
}

func consumerGroups(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file, timeout := r.Text("bootstrap-server", ""), r.Text("command-config", ""), r.Int64("timeout", 5000)
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Timeout = time.Duration(timeout) * time.Millisecond
	c := &command{s: s, set: set, conn: conn, adm: kadm.NewClient(conn.Client)}
	switch {
	case set.Has("list"):
		return c.list(ctx)
	case set.Has("describe"):
		return c.describe(ctx)
	case set.Has("delete"):
		return c.delete(ctx)
	case set.Has("reset-offsets"):
		return c.reset(ctx)
	}
	return c.deleteOffsets(ctx)
}

func (c *command) list(ctx context.Context) error {
	states, err := wanted(c.set, "state", "state", groupStates())
	if err != nil {
		return err
	}
	types, err := wanted(c.set, "type", "types", groupTypes())
	if err != nil {
		return err
	}
	groups, err := c.conn.Groups(ctx)
	if err != nil {
		return exception.InFuture(exception.InFuture(err))
	}
	groups = slices.DeleteFunc(groups, func(g client.Group) bool {
		return !g.OfConsumers() || states != nil && !slices.Contains(states, g.State) || types != nil && !slices.Contains(types, g.Type)
	})
	if !c.set.Has("state") && !c.set.Has("type") {
		for _, g := range groups {
			c.s.Printf("%s\n", g.ID)
		}
		return nil
	}
	width := 15
	for _, g := range groups {
		width = max(width, len(g.ID))
	}
	c.s.Printf("%s\n", c.listLine(width+10, "GROUP", "TYPE", "STATE"))
	for _, g := range groups {
		c.s.Printf("%s\n", c.listLine(width+10, g.ID, g.Type, g.State))
	}
	return nil
}

func (c *command) listLine(width int, id, typ, state string) string {
	line := fmt.Sprintf("%-*s", width, id)
	if c.set.Has("type") {
		line += fmt.Sprintf(" %-20s", typ)
	}
	if c.set.Has("state") {
		line += fmt.Sprintf(" %-20s", state)
	}
	return line
}

// chosen returns the groups that the options name, or all groups, in name order without duplicates.
func (c *command) chosen(ctx context.Context) ([]string, error) {
	names := slices.Clone(c.set.All("group"))
	if c.set.Has("all-groups") {
		groups, err := c.conn.Groups(ctx)
		if err != nil {
			return nil, exception.InFuture(exception.InFuture(err))
		}
		for _, g := range groups {
			if g.OfConsumers() {
				names = append(names, g.ID)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (c *command) delete(ctx context.Context) error {
	names, err := c.chosen(ctx)
	if err != nil {
		return err
	}
	if err := c.conn.Await(ctx, "deleteConsumerGroups(api=FIND_COORDINATOR)"); err != nil {
		return exception.InFuture(err)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	deleted := []string{}
	var failures []string
	resp, err := c.adm.DeleteGroups(ctx, names...)
	for _, name := range names {
		one, ok := resp[name]
		switch {
		case ok && one.Err == nil:
			deleted = append(deleted, name)
			continue
		case ok:
			err = one.Err
		}
		failures = append(failures, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, exception.Of(err, "deleteConsumerGroups").Named()))
	}
	if len(failures) == 0 {
		c.s.Printf("Deletion of requested consumer groups ('%s') was successful.\n", strings.Join(deleted, ", "))
		return nil
	}
	c.s.Printf("\nError: Deletion of some consumer groups failed:\n%s\n", strings.Join(failures, "\n"))
	if len(deleted) > 0 {
		c.s.Printf("\nThese consumer groups were deleted successfully: '%s'\n", strings.Join(deleted, "', '"))
	}
	return nil
}
