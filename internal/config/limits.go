package config

import "strings"

// checkLimits compares numbers with each other, in Kafka's order.
func (s settings) checkLimits(*Server) error {
	for _, check := range []func() error{s.checkGroupRanges, s.checkLogTimes, s.checkReplicaTimes, s.checkConnections} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// pair is a rule: the setting low must not be above the setting high.
type pair struct{ low, high string }

func (s settings) checkGroupRanges() error {
	for _, family := range []string{"group.consumer.", "group.share.", "group.streams."} {
		for _, what := range []string{"heartbeat.interval.ms", "session.timeout.ms"} {
			if err := s.checkRange(family+"min."+what, family+what, family+"max."+what); err != nil {
				return err
			}
		}
	}
	rules := []pair{
		{"group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
		{"group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
		{"group.share.max.size", "group.share.max.share.sessions"},
	}
	for _, r := range rules {
		if s.int(r.low) > s.int(r.high) {
			return &Error{Text: r.high + " must be greater than or equal to " + r.low, Class: ClassArgument}
		}
	}
	if s.int("group.streams.num.standby.replicas") > s.int("group.streams.max.standby.replicas") {
		return &Error{Text: "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas", Class: ClassArgument}
	}
	if !strings.Contains(","+s.text("group.coordinator.rebalance.protocols")+",", ",classic,") {
		return refuse("Disabling the 'classic' protocol is not supported.")
	}
	return nil
}

func (s settings) checkRange(low, middle, high string) error {
	switch l, m, h := s.int(low), s.int(middle), s.int(high); {
	case h < l:
		return &Error{Text: high + " must be greater than or equal to " + low, Class: ClassArgument}
	case m < l:
		return &Error{Text: middle + " must be greater than or equal to " + low, Class: ClassArgument}
	case m > h:
		return &Error{Text: middle + " must be less than or equal to " + high, Class: ClassArgument}
	}
	return nil
}

func (s settings) checkLogTimes() error {
	if err := demand(s.related("log.roll.ms") >= 1, "log.roll.ms must be greater than or equal to 1"); err != nil {
		return err
	}
	if err := demand(s.related("log.roll.jitter.ms") >= 0, "log.roll.jitter.ms must be greater than or equal to 0"); err != nil {
		return err
	}
	if err := demand(s.related("log.retention.ms") != 0, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"); err != nil {
		return err
	}
	perThread := s.int("log.cleaner.dedupe.buffer.size") / max(1, s.int("log.cleaner.threads"))
	return demand(perThread > 1<<20, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
}

func (s settings) checkReplicaTimes() error {
	wait := s.int("replica.fetch.wait.max.ms")
	if err := demand(wait <= s.int("replica.socket.timeout.ms"), "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts"); err != nil {
		return err
	}
	return demand(wait <= s.int("replica.lag.time.max.ms"), "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR")
}

func (s settings) checkConnections() error {
	const overrides = "max.connections.per.ip.overrides"
	for _, p := range s.list(overrides) {
		if !strings.Contains(p, ":") {
			return &Error{Text: "Error parsing configuration property '" + overrides + "': " + p + " is not address:count", Class: ClassArgument}
		}
	}
	if err := demand(s.int("max.connections.per.ip") > 0 || s.text(overrides) != "", "max.connections.per.ip can be set to zero only if %s property is set.", overrides); err != nil {
		return err
	}
	for _, address := range s.list("console.listeners") {
		if err := demand(isHostPort(address), "console.listeners must be addresses as host:port, but one is %s", address); err != nil {
			return err
		}
	}
	queued := s.int("queued.max.request.bytes")
	return demand(queued <= 0 || queued >= s.int("socket.request.max.bytes"), "queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
}
