package message

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
)

// The topics.
const (
	TopicEmails  = "email.send"
	TopicSMS     = "sms.send"
	TopicOrders  = "order-created"
	TopicPublish = "my_topic"
	TopicStatus  = "notification.status" // compacted, key is the ID
)

// DeadLetterSuffix is what the names of dead-letter topics end in.
const DeadLetterSuffix = ".dlt"

// The groups.
const (
	GroupEmails = "email-send-group"
	GroupSMS    = "sms-send-group"
	GroupMail   = "mail-service"  // mails a confirmation of each order
	GroupStats  = "stats-service" // counts each order
)

// maxBytes is the longest value: a body of 256 KiB in which every byte is escaped.
const maxBytes = 2 << 20

// Emails is the topic of mails to be sent.
func Emails() delivery.Topic[Email] {
	return delivery.NewTopic(TopicEmails, codec.JSON[Email](codec.MaxBytes(maxBytes)))
}

// Texts is the topic of text messages to be sent.
func Texts() delivery.Topic[SMS] {
	return delivery.NewTopic(TopicSMS, codec.JSON[SMS](codec.MaxBytes(maxBytes)))
}

// Orders is the topic of orders that were placed.
func Orders() delivery.Topic[Order] { return delivery.NewTopic(TopicOrders, codec.JSON[Order]()) }

// Published is the topic of texts that came in by /publish.
func Published() delivery.Topic[string] { return delivery.NewTopic(TopicPublish, codec.Text()) }

// Statuses is the topic of status events.
func Statuses() delivery.Topic[Status] { return delivery.NewTopic(TopicStatus, codec.JSON[Status]()) }

// provisionPause is the time between two attempts to create the topics.
const provisionPause = time.Second

// Provision creates the topics that are missing. If the cluster is away, it waits
// for it until ctx ends. Provision reports whether the topics are there.
func Provision(ctx context.Context, c *delivery.Client) bool {
	for warned := false; ; {
		err := provision(ctx, c)
		if err == nil {
			return true
		}
		if !warned && ctx.Err() == nil {
			c.Logger().Warn("topics cannot be created yet", slog.Any("err", err))
			warned = true
		}
		pause := time.NewTimer(provisionPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return false
		case <-pause.C:
		}
	}
}

func provision(ctx context.Context, c *delivery.Client) error {
	adm := kadm.NewClient(c.Kgo())
	compact := map[string]*string{"cleanup.policy": new("compact")}
	for _, t := range []struct {
		name    string
		configs map[string]*string
	}{{TopicEmails, nil}, {TopicSMS, nil}, {TopicOrders, nil}, {TopicPublish, nil}, {TopicStatus, compact}} {
		_, err := adm.CreateTopic(ctx, 1, -1, t.configs, t.name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.name, err)
		}
	}
	return nil
}
