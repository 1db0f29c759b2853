package cli

import (
	"context"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const loggerMetadata = "org.apache.kafka.clients.Metadata"

// topicGate waits until a topic is there, with the lines that Kafka's clients write meanwhile. The metadata request lets the
// broker create the topic. It is for one goroutine.
type topicGate struct {
	conn  *connection
	topic string
	// wait is max.block.ms; 0 is for ever.
	wait time.Duration

	open bool
	asks int
}

// pass returns nil once the topic is there, the exception of a name that can never be, or a time-out.
func (g *topicGate) pass(ctx context.Context) *exception {
	if g.open {
		return nil
	}
	parent := ctx
	if g.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.wait)
		defer cancel()
	}
	for tries := 1; ; tries++ {
		if x := g.ask(ctx); g.open || x != nil {
			return x
		}
		if !sleep(ctx, 2*backoff(tries)) {
			if parent.Err() != nil {
				return asException(parent.Err(), "metadata")
			}
			return throw(classTimeout, "Topic %s not present in metadata after %d ms.", g.topic, g.wait.Milliseconds())
		}
	}
}

func (g *topicGate) ask(ctx context.Context) *exception {
	if err := g.conn.Ping(ctx); err != nil {
		return authenticationError(err) // anything else may pass
	}
	req := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = new(g.topic)
	req.Topics = append(req.Topics, one)
	req.AllowAutoTopicCreation = true
	resp, err := req.RequestWith(ctx, g.conn.Client)
	g.asks++
	if err != nil || len(resp.Topics) == 0 {
		return nil //nolint:nilerr // it is asked again
	}
	code := resp.Topics[0].ErrorCode
	if code == 0 {
		g.open = true
		return nil
	}
	who := g.conn.who()
	g.conn.s.log(levelWarn, loggerNetwork, "%s The metadata response from the cluster reported a recoverable issue with correlation id %d : {%s=%s}",
		who, g.asks, g.topic, kafkaName(code))
	switch code {
	case kerr.InvalidTopicException.Code:
		g.conn.s.log(levelError, loggerMetadata, "%s Metadata response reported invalid topics [%s]", who, g.topic)
		return throw(classInvalid, "Invalid topics: [%s]", g.topic)
	case kerr.TopicAuthorizationFailed.Code:
		g.conn.s.log(levelError, loggerMetadata, "%s Topic authorization failed for topics [%s]", who, g.topic)
		return throw(commonErrors+"TopicAuthorizationException", "Not authorized to access topics: [%s]", g.topic)
	}
	return nil
}

// kafkaName is the name of an error code: UNKNOWN_TOPIC_OR_PARTITION.
func kafkaName(code int16) string {
	if e := kerr.TypedErrorForCode(code); e != nil {
		return strings.ToUpper(e.Message)
	}
	return "UNKNOWN_SERVER_ERROR"
}
