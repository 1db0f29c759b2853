package delivery

// Event is something a listener tells its owner through OnEvent. Fields that
// make no sense for a kind are zero.
type Event struct {
	Kind            EventKind
	Group           string // the listener's main group
	Role            Role
	Topic           string
	Partition       int32
	Offset          int64
	DeadLetterTopic string
	Reason          Reason
	Err             error
	Text            string
}

// EventKind says what happened.
type EventKind string

// The kinds.
const (
	EventAssigned     EventKind = "assigned"
	EventRevoked      EventKind = "revoked"
	EventLost         EventKind = "lost"
	EventPaused       EventKind = "paused"
	EventResumed      EventKind = "resumed"
	EventIdle         EventKind = "idle"
	EventNoLongerIdle EventKind = "no-longer-idle"
	EventStuck        EventKind = "stuck"
	EventDeadLettered EventKind = "dead-lettered"
	EventHalted       EventKind = "halted"
	EventDegraded     EventKind = "degraded"
	EventHealthy      EventKind = "healthy"
)
