package config

import (
	"strconv"
	"strings"
	"time"
)

const (
	nodeID   = "node.id"
	brokerID = "broker.id"
)

// Server is the content of server.properties as typed fields, with Kafka's defaults for settings that are missing.
// Topic defaults are not here, because they can change at run time: they come from Layers with Static as the lowest
// layer.
type Server struct {
	// Static holds every setting as it was written, for Layers.
	Static map[string]string

	NodeID        int32
	Broker        bool
	Controller    bool
	Rack          string
	LogDirs       []string
	MetadataDir   string // metadata.log.dir, by default the first of LogDirs
	QuorumVoters  []string
	QuorumServers []string

	// Listeners are all listeners. Advertised are the listeners that clients are told and, on a controller, other
	// controllers.
	Listeners           []Listener
	Advertised          []Listener
	InterBrokerListener string
	Console             []string // addresses for HTTP, host:port

	Durability               string // FlushCommit, FlushInterval or FlushOS
	FlushInterval            time.Duration
	FramingOnly              bool // record.validation=framing
	ReplicationFactorClamp   bool
	OffsetTopicIDs           bool
	AutoCreateTopics         bool
	DeleteTopics             bool
	NumPartitions            int32
	DefaultReplicationFactor int16
	AuthorizerClass          string

	Connections ConnectionLimits
	Logs        LogTimes
	Groups      GroupLimits
	Txns        TxnLimits
	Shares      ShareLimits
}

// ConnectionLimits are the limits on connections, requests and answers.
type ConnectionLimits struct {
	RequestMaxBytes      int32
	RequestMaxElements   int32
	SendBufferBytes      int32 // Kafka's default if unset; -1 leaves it to the system
	ReceiveBufferBytes   int32 // 0 if unset; -1 leaves it to the system
	MaxIdle              time.Duration
	MaxReauth            time.Duration
	FailedAuthDelay      time.Duration
	Max                  int32
	MaxPerIP             int32
	MaxPerIPOverrides    map[string]int32
	MaxCreationRate      int32
	RequestMemory        int64 // bytes, not positive for the default
	AnswerMemory         int64 // bytes, not positive for the default
	FrameTimeout         time.Duration
	StallTimeout         time.Duration
	FetchMaxBytes        int32
	FetchSessions        int32
	MaxRequestPartitions int32
	SASLMechanisms       []string
	SASLMaxReceiveBytes  int32
	TelemetryMaxBytes    int32
	QuotaSamples         int32
	QuotaSample          time.Duration
}

// LogTimes are the periods of the log's housekeeping.
type LogTimes struct {
	RetentionCheck      time.Duration
	SegmentDeleteDelay  time.Duration
	FlushCheck          time.Duration
	RecoveryCheckpoint  time.Duration
	StartCheckpoint     time.Duration
	CleanerEnabled      bool
	CleanerBackoff      time.Duration
	CleanerDedupeBytes  int64
	ProducerIDExpiry    time.Duration
	VerifyTransactions  bool
	MaxMessageBytes     int32
	IndexSizeMaxBytes   int32
	RecoveryThreadsHint int32
}

// GroupLimits are the group coordinator's settings.
type GroupLimits struct {
	OffsetsPartitions        int32
	OffsetsReplicationFactor int16
	OffsetsSegmentBytes      int32
	OffsetsRetention         time.Duration
	OffsetsRetentionCheck    time.Duration
	OffsetCommitTimeout      time.Duration
	OffsetMetadataMaxBytes   int32

	Protocols []string

	InitialRebalanceDelay time.Duration
	MinSessionTimeout     time.Duration
	MaxSessionTimeout     time.Duration
	MaxSize               int32
	MembersMaxBytes       int64

	ConsumerSessionTimeout    time.Duration
	ConsumerMinSessionTimeout time.Duration
	ConsumerMaxSessionTimeout time.Duration
	ConsumerHeartbeat         time.Duration
	ConsumerMinHeartbeat      time.Duration
	ConsumerMaxHeartbeat      time.Duration
	ConsumerMaxSize           int32
	ConsumerAssignors         []string
	ConsumerMigration         string // disabled, downgrade, upgrade or bidirectional
}

// TxnLimits are the transaction coordinator's settings.
type TxnLimits struct {
	Partitions        int32
	ReplicationFactor int16
	MinISR            int32
	SegmentBytes      int32
	MaxTimeout        time.Duration
	IDExpiry          time.Duration
	AbortCheck        time.Duration
	ExpiryCheck       time.Duration
}

// ShareLimits are the settings of share groups and of the topic that stores their state.
type ShareLimits struct {
	Partitions        int32
	ReplicationFactor int16
	MinISR            int16
	SegmentBytes      int32
	SessionTimeout    time.Duration
	MinSessionTimeout time.Duration
	MaxSessionTimeout time.Duration
	Heartbeat         time.Duration
	MinHeartbeat      time.Duration
	MaxHeartbeat      time.Duration
	MaxSize           int32
	Assignors         []string
	MaxSessions       int32
	DeliveryCount     int32
	RecordLock        time.Duration
	MinRecordLock     time.Duration
	MaxRecordLock     time.Duration
	MaxRecordLocks    int32
}

// Warning is a setting that is accepted but probably a mistake: an unknown name.
type Warning struct {
	Name string
	// Nearest is a known name with almost the same spelling, empty if there is none.
	Nearest string
}

// String returns the warning as a sentence.
func (w Warning) String() string {
	if w.Nearest == "" {
		return w.Name + " is not a known setting and has no effect"
	}
	return w.Name + " is not a known setting and has no effect: did you mean " + w.Nearest + "?"
}

// settings reads validated values by their names.
type settings struct{ Layers }

func (s settings) text(name string) string {
	v, _ := s.BrokerValue(name)
	return v
}

func (s settings) int(name string) int64 {
	n, err := strconv.ParseInt(s.text(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s settings) int32(name string) int32             { return int32(s.int(name)) }
func (s settings) int16(name string) int16             { return int16(s.int(name)) }
func (s settings) yes(name string) bool                { return s.text(name) == "true" }
func (s settings) list(name string) []string           { return splitList(s.text(name)) }
func (s settings) millis(name string) time.Duration    { return Duration(s.int(name)) }
func (s settings) isSet(name string) bool              { _, ok := s.set(name); return ok }
func (s settings) related(name string) int64           { v, _ := s.merged(name); return parseLong(v) }
func (s settings) relatedMs(name string) time.Duration { return Duration(s.related(name)) }
func (s settings) seconds(name string) time.Duration   { return Duration(s.int(name) * 1000) }
func (s settings) minutes(name string) time.Duration   { return Duration(s.int(name) * 60_000) }
func (s settings) lower(name string) string            { return strings.ToLower(s.text(name)) }
func (s settings) upperList(name string) (upper []string) {
	for _, item := range s.list(name) {
		upper = append(upper, strings.ToUpper(item))
	}
	return upper
}

func parseLong(v string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s settings) fill(server *Server) {
	server.Static = s.Static
	server.NodeID = s.int32(nodeID)
	server.Rack = s.text("broker.rack")
	server.LogDirs = s.logDirs()
	server.MetadataDir = s.text("metadata.log.dir")
	if server.MetadataDir == "" && len(server.LogDirs) > 0 {
		server.MetadataDir = server.LogDirs[0]
	}
	server.Console = s.list("console.listeners")
	server.QuorumVoters = s.list("controller.quorum.voters")
	server.QuorumServers = s.list("controller.quorum.bootstrap.servers")
	server.Durability = s.text("log.flush")
	server.FlushInterval = s.relatedMs("log.flush.interval.ms")
	server.FramingOnly = s.text("record.validation") == ValidateFraming
	server.OffsetTopicIDs = s.yes("offsets.topic.ids.enable")
	server.ReplicationFactorClamp = s.yes("replication.factor.clamp")
	server.AutoCreateTopics = s.yes("auto.create.topics.enable")
	server.DeleteTopics = s.yes("delete.topic.enable")
	server.NumPartitions = s.int32("num.partitions")
	server.DefaultReplicationFactor = s.int16("default.replication.factor")
	server.AuthorizerClass = s.text("authorizer.class.name")
	server.Connections = s.connections()
	server.Logs = s.logs()
	server.Groups = s.groups()
	server.Txns = s.txns()
	server.Shares = s.shares()
}

func (s settings) logDirs() []string {
	if s.isSet("log.dirs") {
		return s.list("log.dirs")
	}
	return s.list("log.dir")
}

// orZeroIfUnset returns a setting, or 0 if it is unset: its default is not applied.
func (s settings) orZeroIfUnset(name string) int32 {
	if !s.isSet(name) {
		return 0
	}
	return s.int32(name)
}

// Connections returns the limits on connections that are in force.
func (l Layers) Connections() ConnectionLimits { return settings{l}.connections() }

// ProducerIDExpiry returns how long an idle producer ID is remembered.
func (l Layers) ProducerIDExpiry() time.Duration {
	return settings{l}.millis("producer.id.expiration.ms")
}

func (s settings) connections() ConnectionLimits {
	overrides := map[string]int32{}
	for _, pair := range s.list("max.connections.per.ip.overrides") {
		if i := strings.LastIndexByte(pair, ':'); i > 0 {
			overrides[strings.TrimSpace(pair[:i])] = int32(parseLong(pair[i+1:]))
		}
	}
	return ConnectionLimits{
		RequestMaxBytes:      s.int32("socket.request.max.bytes"),
		RequestMaxElements:   s.int32("socket.request.max.elements"),
		SendBufferBytes:      s.int32("socket.send.buffer.bytes"),
		ReceiveBufferBytes:   s.orZeroIfUnset("socket.receive.buffer.bytes"),
		MaxIdle:              s.millis("connections.max.idle.ms"),
		MaxReauth:            s.millis("connections.max.reauth.ms"),
		FailedAuthDelay:      s.millis("connection.failed.authentication.delay.ms"),
		Max:                  s.int32("max.connections"),
		MaxPerIP:             s.int32("max.connections.per.ip"),
		MaxPerIPOverrides:    overrides,
		MaxCreationRate:      s.int32("max.connection.creation.rate"),
		RequestMemory:        s.int("queued.max.request.bytes"),
		AnswerMemory:         s.int("queued.max.response.bytes"),
		FrameTimeout:         s.millis("socket.request.timeout.ms"),
		StallTimeout:         s.millis("socket.stall.timeout.ms"),
		FetchMaxBytes:        s.int32("fetch.max.bytes"),
		FetchSessions:        s.int32("max.incremental.fetch.session.cache.slots"),
		MaxRequestPartitions: s.int32("max.request.partition.size.limit"),
		SASLMechanisms:       s.list("sasl.enabled.mechanisms"),
		SASLMaxReceiveBytes:  s.int32("sasl.server.max.receive.size"),
		TelemetryMaxBytes:    s.int32("telemetry.max.bytes"),
		QuotaSamples:         s.int32("quota.window.num"),
		QuotaSample:          s.seconds("quota.window.size.seconds"),
	}
}

func (s settings) logs() LogTimes {
	return LogTimes{
		RetentionCheck:      s.millis("log.retention.check.interval.ms"),
		SegmentDeleteDelay:  s.millis("log.segment.delete.delay.ms"),
		FlushCheck:          s.millis("log.flush.scheduler.interval.ms"),
		RecoveryCheckpoint:  s.millis("log.flush.offset.checkpoint.interval.ms"),
		StartCheckpoint:     s.millis("log.flush.start.offset.checkpoint.interval.ms"),
		CleanerEnabled:      s.yes("log.cleaner.enable"),
		CleanerBackoff:      s.millis("log.cleaner.backoff.ms"),
		CleanerDedupeBytes:  s.int("log.cleaner.dedupe.buffer.size"),
		ProducerIDExpiry:    s.millis("producer.id.expiration.ms"),
		VerifyTransactions:  s.yes("transaction.partition.verification.enable"),
		MaxMessageBytes:     s.int32("message.max.bytes"),
		IndexSizeMaxBytes:   s.int32("log.index.size.max.bytes"),
		RecoveryThreadsHint: s.int32("num.recovery.threads.per.data.dir"),
	}
}

func (s settings) groups() GroupLimits {
	return GroupLimits{
		OffsetsPartitions:         s.int32("offsets.topic.num.partitions"),
		OffsetsReplicationFactor:  s.int16("offsets.topic.replication.factor"),
		OffsetsSegmentBytes:       s.int32("offsets.topic.segment.bytes"),
		OffsetsRetention:          s.minutes("offsets.retention.minutes"),
		OffsetsRetentionCheck:     s.millis("offsets.retention.check.interval.ms"),
		OffsetCommitTimeout:       s.millis("offsets.commit.timeout.ms"),
		OffsetMetadataMaxBytes:    s.int32("offset.metadata.max.bytes"),
		Protocols:                 s.list("group.coordinator.rebalance.protocols"),
		InitialRebalanceDelay:     s.millis("group.initial.rebalance.delay.ms"),
		MinSessionTimeout:         s.millis("group.min.session.timeout.ms"),
		MaxSessionTimeout:         s.millis("group.max.session.timeout.ms"),
		MaxSize:                   s.int32("group.max.size"),
		MembersMaxBytes:           s.int("group.members.max.bytes"),
		ConsumerSessionTimeout:    s.millis("group.consumer.session.timeout.ms"),
		ConsumerMinSessionTimeout: s.millis("group.consumer.min.session.timeout.ms"),
		ConsumerMaxSessionTimeout: s.millis("group.consumer.max.session.timeout.ms"),
		ConsumerHeartbeat:         s.millis("group.consumer.heartbeat.interval.ms"),
		ConsumerMinHeartbeat:      s.millis("group.consumer.min.heartbeat.interval.ms"),
		ConsumerMaxHeartbeat:      s.millis("group.consumer.max.heartbeat.interval.ms"),
		ConsumerMaxSize:           s.int32("group.consumer.max.size"),
		ConsumerAssignors:         s.list("group.consumer.assignors"),
		ConsumerMigration:         s.lower("group.consumer.migration.policy"),
	}
}

func (s settings) txns() TxnLimits {
	return TxnLimits{
		Partitions:        s.int32("transaction.state.log.num.partitions"),
		ReplicationFactor: s.int16("transaction.state.log.replication.factor"),
		MinISR:            s.int32("transaction.state.log.min.isr"),
		SegmentBytes:      s.int32("transaction.state.log.segment.bytes"),
		MaxTimeout:        s.millis("transaction.max.timeout.ms"),
		IDExpiry:          s.millis("transactional.id.expiration.ms"),
		AbortCheck:        s.millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		ExpiryCheck:       s.millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
	}
}

func (s settings) shares() ShareLimits {
	return ShareLimits{
		Partitions:        s.int32("share.coordinator.state.topic.num.partitions"),
		ReplicationFactor: s.int16("share.coordinator.state.topic.replication.factor"),
		MinISR:            s.int16("share.coordinator.state.topic.min.isr"),
		SegmentBytes:      s.int32("share.coordinator.state.topic.segment.bytes"),
		SessionTimeout:    s.millis("group.share.session.timeout.ms"),
		MinSessionTimeout: s.millis("group.share.min.session.timeout.ms"),
		MaxSessionTimeout: s.millis("group.share.max.session.timeout.ms"),
		Heartbeat:         s.millis("group.share.heartbeat.interval.ms"),
		MinHeartbeat:      s.millis("group.share.min.heartbeat.interval.ms"),
		MaxHeartbeat:      s.millis("group.share.max.heartbeat.interval.ms"),
		MaxSize:           s.int32("group.share.max.size"),
		Assignors:         s.list("group.share.assignors"),
		MaxSessions:       s.int32("group.share.max.share.sessions"),
		DeliveryCount:     s.int32("group.share.delivery.count.limit"),
		RecordLock:        s.millis("group.share.record.lock.duration.ms"),
		MinRecordLock:     s.millis("group.share.min.record.lock.duration.ms"),
		MaxRecordLock:     s.millis("group.share.max.record.lock.duration.ms"),
		MaxRecordLocks:    s.int32("group.share.partition.max.record.locks"),
	}
}
