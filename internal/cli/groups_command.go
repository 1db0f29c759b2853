package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

func runConsumerGroups(ctx context.Context, s *streams, args []string) int {
	p := consumerGroupsParser()
	set, err := p.parse(args)
	if err != nil {
		s.remark("Exception in thread \"main\" %s\n", named(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutConsumerGroups); done {
		return code
	}
	if err := checkConsumerGroups(s, set); err != nil {
		return p.finish(s, err)
	}
	if set.has("validate-regex") {
		return validateRegex(s, p, set)
	}
	err = consumerGroups(ctx, s, set)
	if u, ok := errors.AsType[*usageError](err); ok {
		return p.printUsage(s, u.text)
	}
	if isInterrupt(err) {
		return exitError
	}
	if err != nil {
		s.printf("\nError: Executing consumer group command failed due to %s%s\n", err, causes(err))
	}
	return exitOK
}

func validateRegex(s *streams, p *optParser, set *optSet) int {
	pattern, err := set.text("validate-regex", "")
	if err != nil {
		return p.finish(s, err)
	}
	_, err = regexp.Compile(pattern)
	if err == nil {
		s.printf("The regular expression `%s` is valid.\n", pattern)
		return exitOK
	}
	why := err.Error()
	if _, after, ok := strings.Cut(why, "error parsing regexp: "); ok {
		why, _, _ = strings.Cut(after, ": `")
	}
	s.printf("The regular expression `%s` is invalid: %s.\n", pattern, why)
	return exitOK
}

// groupsCommand is one call of the tool.
type groupsCommand struct {
	s    *streams
	set  *optSet
	conn *connection
	adm  *kadm.Client
}

func consumerGroups(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file, timeout := r.text("bootstrap-server", ""), r.text("command-config", ""), r.int64("timeout", 5000)
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.timeout = time.Duration(timeout) * time.Millisecond
	c := &groupsCommand{s: s, set: set, conn: conn, adm: kadm.NewClient(conn.Client)}
	switch {
	case set.has("list"):
		return c.list(ctx)
	case set.has("describe"):
		return c.describe(ctx)
	case set.has("delete"):
		return c.delete(ctx)
	case set.has("reset-offsets"):
		return c.reset(ctx)
	}
	return c.deleteOffsets(ctx)
}

func (c *groupsCommand) list(ctx context.Context) error {
	states, err := wanted(c.set, "state", "state", groupStates())
	if err != nil {
		return err
	}
	types, err := wanted(c.set, "type", "types", groupTypes())
	if err != nil {
		return err
	}
	groups, err := c.conn.groups(ctx)
	if err != nil {
		return execution(execution(err))
	}
	groups = slices.DeleteFunc(groups, func(g listedGroup) bool {
		return !g.consumers() || states != nil && !slices.Contains(states, g.state) || types != nil && !slices.Contains(types, g.typ)
	})
	if !c.set.has("state") && !c.set.has("type") {
		for _, g := range groups {
			c.s.printf("%s\n", g.id)
		}
		return nil
	}
	width := 15
	for _, g := range groups {
		width = max(width, len(g.id))
	}
	c.s.printf("%s\n", c.listLine(width+10, "GROUP", "TYPE", "STATE"))
	for _, g := range groups {
		c.s.printf("%s\n", c.listLine(width+10, g.id, g.typ, g.state))
	}
	return nil
}

func (c *groupsCommand) listLine(width int, id, typ, state string) string {
	line := fmt.Sprintf("%-*s", width, id)
	if c.set.has("type") {
		line += fmt.Sprintf(" %-20s", typ)
	}
	if c.set.has("state") {
		line += fmt.Sprintf(" %-20s", state)
	}
	return line
}

// chosen returns the groups that were named, or all of them, in name order without duplicates.
func (c *groupsCommand) chosen(ctx context.Context) ([]string, error) {
	names := slices.Clone(c.set.all("group"))
	if c.set.has("all-groups") {
		groups, err := c.conn.groups(ctx)
		if err != nil {
			return nil, execution(execution(err))
		}
		for _, g := range groups {
			if g.consumers() {
				names = append(names, g.id)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (c *groupsCommand) delete(ctx context.Context) error {
	names, err := c.chosen(ctx)
	if err != nil {
		return err
	}
	if err := c.conn.await(ctx, "deleteConsumerGroups(api=FIND_COORDINATOR)"); err != nil {
		return execution(err)
	}
	ctx, cancel := c.conn.within(ctx)
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
		failures = append(failures, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, asException(err, "deleteConsumerGroups").named()))
	}
	if len(failures) == 0 {
		c.s.printf("Deletion of requested consumer groups ('%s') was successful.\n", strings.Join(deleted, ", "))
		return nil
	}
	c.s.printf("\nError: Deletion of some consumer groups failed:\n%s\n", strings.Join(failures, "\n"))
	if len(deleted) > 0 {
		c.s.printf("\nThese consumer groups were deleted successfully: '%s'\n", strings.Join(deleted, "', '"))
	}
	return nil
}
