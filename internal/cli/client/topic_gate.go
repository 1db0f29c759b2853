package client

import (
	"context"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// LoggerMetadata is the logger of log lines about topic metadata.
const LoggerMetadata = "org.apache.kafka.clients.Metadata"

// TopicGate waits until a topic exists and writes the log lines that Kafka's clients write meanwhile. Its metadata request
// allows the broker to create the topic. Only one goroutine may use it.
type TopicGate struct {
	Conn  *Conn
	Topic string
	// Wait is max.block.ms; 0 means for ever.
	Wait time.Duration

	open bool
	asks int
}

// Pass returns nil once the topic exists. It returns an exception if the name is invalid, if the client is refused or not
// authorized, or if the time is over.
func (g *TopicGate) Pass(ctx context.Context) *exception.Error {
	if g.open {
		return nil
	}
	parent := ctx
	if g.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.Wait)
		defer cancel()
	}
	for tries := 1; ; tries++ {
		if x := g.ask(ctx); g.open || x != nil {
			return x
		}
		if !Sleep(ctx, 2*Backoff(tries)) {
			if parent.Err() != nil {
				return exception.Of(parent.Err(), "metadata")
			}
			return exception.New(exception.Timeout, "Topic %s not present in metadata after %d ms.", g.Topic, g.Wait.Milliseconds())
		}
	}
}

func (g *TopicGate) ask(ctx context.Context) *exception.Error {
	if err := g.Conn.Ping(ctx); err != nil {
		return AuthenticationError(err) // any other error may go away
	}
	req := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = new(g.Topic)
	req.Topics = append(req.Topics, one)
	req.AllowAutoTopicCreation = true
	resp, err := req.RequestWith(ctx, g.Conn.Client)
	g.asks++
	if err != nil || len(resp.Topics) == 0 {
		return nil //nolint:nilerr // it is asked again
	}
	code := resp.Topics[0].ErrorCode
	if code == 0 {
		g.open = true
		return nil
	}
	who := g.Conn.Who()
	g.Conn.Streams.Log(tool.LevelWarn, loggerNetwork, "%s The metadata response from the cluster reported a recoverable issue with correlation id %d : {%s=%s}",
		who, g.asks, g.Topic, ErrorName(code))
	switch code {
	case kerr.InvalidTopicException.Code:
		g.Conn.Streams.Log(tool.LevelError, LoggerMetadata, "%s Metadata response reported invalid topics [%s]", who, g.Topic)
		return exception.New(exception.InvalidTopic, "Invalid topics: [%s]", g.Topic)
	case kerr.TopicAuthorizationFailed.Code:
		g.Conn.Streams.Log(tool.LevelError, LoggerMetadata, "%s Topic authorization failed for topics [%s]", who, g.Topic)
		return exception.New(exception.CommonErrors+"TopicAuthorizationException", "Not authorized to access topics: [%s]", g.Topic)
	}
	return nil
}

// ErrorName returns the name of an error code, such as UNKNOWN_TOPIC_OR_PARTITION.
func ErrorName(code int16) string {
	if e := kerr.TypedErrorForCode(code); e != nil {
		return strings.ToUpper(e.Message)
	}
	return "UNKNOWN_SERVER_ERROR"
}
