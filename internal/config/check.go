package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check is a rule on values besides their type: text describes it, run applies it.
type check struct {
	text   string
	run    func(name string, p parsed) error
	dedupe bool
}

func atLeast(low int64) check {
	return check{text: fmt.Sprintf("at least %d", low), run: func(name string, p parsed) error {
		return checkLow(name, p, float64(low), strconv.FormatInt(low, 10))
	}}
}

func between(low, high float64) check {
	l, h := strconv.FormatFloat(low, 'f', -1, 64), strconv.FormatFloat(high, 'f', -1, 64)
	return check{text: l + " to " + h, run: func(name string, p parsed) error {
		if err := checkLow(name, p, low, l); err != nil {
			return err
		}
		if p.float() > high {
			return refuseValue(name, p.String(), "Value must be no more than %s", h)
		}
		return nil
	}}
}

func checkLow(name string, p parsed, low float64, text string) error {
	if p.float() < low {
		return refuseValue(name, p.String(), "Value must be at least %s", text)
	}
	return nil
}

func (p parsed) float() float64 {
	if p.typ == Double {
		return p.real
	}
	return float64(p.num)
}

var gzipLevel = check{text: "1 to 9, or -1", run: func(name string, p parsed) error {
	if p.num != -1 && (p.num < 1 || p.num > 9) {
		return refuseValue(name, p.String(), "Value must be between 1 and 9 or equal to -1")
	}
	return nil
}}

func oneOf(values ...string) check {
	return check{text: strings.Join(values, ", "), run: func(name string, p parsed) error {
		if !slices.Contains(values, p.text) {
			return refuseValue(name, p.text, "String must be one of: %s", strings.Join(values, ", "))
		}
		return nil
	}}
}

func oneOfFold(values ...string) check {
	return check{text: strings.Join(values, ", ") + " (in any case)", run: func(name string, p parsed) error {
		if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, p.text) }) {
			return refuseValue(name, p.text, "String must be one of (case insensitive): %s", strings.Join(values, ", "))
		}
		return nil
	}}
}

var nonEmpty = check{text: "not empty", run: func(name string, p parsed) error {
	if p.text == "" {
		return refuseValue(name, "", "String must be non-empty")
	}
	return nil
}}

// anyOf allows lists without duplicates or empty items, including the empty list. If values are given, all items must
// be among them.
func anyOf(values ...string) check {
	return check{text: listText(values), dedupe: true, run: func(name string, p parsed) error {
		for _, item := range p.list {
			if item == "" {
				return refuse("Configuration '%s' values must not be empty.", name)
			}
			if len(values) > 0 && !slices.Contains(values, item) {
				return refuseValue(name, item, "String must be one of: %s", strings.Join(values, ", "))
			}
		}
		return nil
	}}
}

// someOf is anyOf without the empty list.
func someOf(values ...string) check {
	c := anyOf(values...)
	items := c.run
	c.run = func(name string, p parsed) error {
		if len(p.list) == 0 {
			valid := "any non-empty value"
			if len(values) > 0 {
				valid = "[" + strings.Join(values, ", ") + "]"
			}
			return refuse("Configuration '%s' must not be empty. Valid values include: %s", name, valid)
		}
		return items(name, p)
	}
	if c.text == "" {
		c.text = "not empty"
	}
	return c
}

func listText(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return "list of " + strings.Join(values, ", ")
}

var throttledReplica = regexp.MustCompile(`^[0-9]+:[0-9]+$`)

var throttledReplicas = check{text: "*, or partition:broker pairs", run: func(name string, p parsed) error {
	bad := slices.ContainsFunc(p.list, func(s string) bool { return !throttledReplica.MatchString(s) })
	if bad && p.text != "*" {
		return refuseValue(name, "["+strings.Join(p.list, ", ")+"]",
			"%s must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...", name)
	}
	return nil
}}

var quorumVoters = check{text: "list of id@host:port", run: func(name string, p parsed) error {
	for _, s := range p.list {
		if _, err := parseVoter(s); err != nil {
			return refuse("Invalid configuration value for %s. Each entry should be in the form `{id}@{host}:{port}`.", name)
		}
	}
	return nil
}}

func parseVoter(s string) (int32, error) {
	id, address, found := strings.Cut(s, "@")
	n, err := strconv.ParseInt(id, 10, 32)
	if !found || !isHostPort(address) {
		return 0, fmt.Errorf("voter %q has no id@host:port", s)
	}
	return int32(n), err
}

var quorumServers = check{text: "list of host:port", run: func(name string, p parsed) error {
	for _, s := range p.list {
		if !isHostPort(s) {
			return refuse("Failed to parse host name from %s for the configuration %s. Each entry should be in the form \"{host}:{port}\"", s, name)
		}
	}
	return nil
}}

var isoDuration = regexp.MustCompile(`^(?i)P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d{0,9})?S)?)?$`)

var shareOffsetReset = check{text: "latest, earliest, by_duration:PnDTnHnMn.nS", run: func(name string, p parsed) error {
	duration, found := strings.CutPrefix(strings.ToLower(p.text), "by_duration:")
	if p.text == "latest" || p.text == "earliest" || found && len(duration) > 2 && !strings.HasSuffix(duration, "t") && isoDuration.MatchString(duration) {
		return nil
	}
	return refuseValue(name, p.text, "Invalid value `%s` for configuration %s. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.", p.text, name)
}}

// isHostPort reports whether s is host:port; an IPv6 address must be in brackets.
func isHostPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return false
	}
	host := s[:i]
	if strings.HasPrefix(host, "[") != strings.HasSuffix(host, "]") || !strings.HasPrefix(host, "[") && strings.Contains(host, ":") {
		return false
	}
	port, err := strconv.Atoi(s[i+1:])
	return err == nil && port >= 0 && port <= 65535
}
