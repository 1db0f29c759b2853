package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mailTiers are the topics of the service's chain. at is when a record that always
// fails is delivered there, counted from the first delivery.
var mailTiers = []struct {
	topic string
	at    time.Duration
}{{"mail", 0}, {"mail-retry-1000", 1 * time.Second}, {"mail-retry-2000", 3 * time.Second}, {"mail-retry-4000", 7 * time.Second}, {"mail-retry-8000", 15 * time.Second}}

// delivery is one line that the service printed: a record that a listener got.
type delivery struct {
	verdict, group, topic, value string
	at                           time.Time
}

// startSpring starts the service.
func startSpring(t *testing.T, b broker) *process {
	t.Helper()
	cache := cacheDir(t)
	path := filepath.Join(cache, "spring", "classes") + ":" + filepath.Join(cache, "spring", "libs", "*")
	return startProcess(t, nil, "java", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path, "service.Service",
		"--spring.kafka.bootstrap-servers="+b.addr, "--spring.kafka.consumer.auto-offset-reset=earliest",
		"--spring.kafka.consumer.properties.heartbeat.interval.ms=300", "--logging.level.root=WARN", "--spring.main.banner-mode=off")
}

// deliveries returns what the service got so far, as far as keep returns true.
func (p *process) deliveries(keep func(delivery) bool) []delivery {
	var all []delivery
	for line := range strings.Lines(p.log.String()) {
		w := strings.Fields(line)
		if len(w) != 5 || !slices.Contains([]string{"handled", "failed", "dead"}, w[0]) {
			continue
		}
		ms, err := strconv.ParseInt(w[4], 10, 64)
		if err != nil {
			continue
		}
		if d := (delivery{verdict: w[0], group: w[1], topic: w[2], value: w[3], at: time.UnixMilli(ms)}); keep(d) {
			all = append(all, d)
		}
	}
	return all
}

// await waits until the service got n deliveries of a kind.
func (p *process) await(t *testing.T, n int, keep func(delivery) bool) []delivery {
	t.Helper()
	eventually(t, time.Minute, func() (bool, error) {
		if p.hasEnded() {
			return false, fmt.Errorf("the service ended: %s", tail(p.log.String(), 30))
		}
		return len(p.deliveries(keep)) >= n, nil
	})
	return p.deliveries(keep)
}

func handledBy(group string) func(delivery) bool {
	return func(d delivery) bool { return d.verdict == "handled" && d.group == group }
}

// sendMails sends n records, with the values prefix0, prefix1 and so on, over all
// partitions.
func sendMails(t *testing.T, cl *kgo.Client, prefix string, n int) []string {
	t.Helper()
	var values []string
	for i := range n {
		v := prefix + strconv.Itoa(i)
		r := &kgo.Record{Topic: "mail", Partition: int32(i % 4), Key: []byte("key-" + v), Value: []byte(v)}
		require.NoError(t, cl.ProduceSync(t.Context(), r).FirstErr())
		values = append(values, v)
	}
	slices.Sort(values)
	return values
}

func valuesOf(all []delivery) []string {
	var values []string
	for _, d := range all {
		values = append(values, d.value)
	}
	slices.Sort(values)
	return values
}

// TestSpring runs a Spring Boot service with retries and dead letters.
func TestSpring(t *testing.T) {
	needCompat(t)
	install(t, "spring")
	onEach(t, []string{"auto.create.topics.enable=false"}, func(t *testing.T, b broker) {
		cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		createTopic(t, cl, "mail", 4)
		service := startSpring(t, b)

		failing := sendMails(t, cl, "fail-", 1)
		sent := sendMails(t, cl, "ok-", 20)
		require.Equal(t, sent, valuesOf(service.await(t, 20, handledBy("mailer"))), "each mail once")
		require.Equal(t, slices.Concat(failing, sent), valuesOf(service.await(t, 21, handledBy("audit"))), "the other group gets all")

		service.await(t, 1, func(d delivery) bool { return d.verdict == "dead" })
		failed := service.deliveries(func(d delivery) bool { return d.verdict == "failed" })
		require.Len(t, failed, len(mailTiers))
		for i, tier := range mailTiers {
			require.Equal(t, tier.topic, failed[i].topic)
			after := failed[i].at.Sub(failed[0].at)
			t.Logf("%s: delivery %d on %s after %v", b.name, i+1, tier.topic, after)
			require.GreaterOrEqual(t, after, tier.at-5*time.Millisecond, "early")
			require.Less(t, after, tier.at+1500*time.Millisecond, "late")
		}
		checkDeadLetter(t, b)

		service.stop()
		again := startSpring(t, b)
		after := sendMails(t, cl, "after-", 8)
		require.Equal(t, after, valuesOf(again.await(t, 8, handledBy("mailer"))), "no mail from before the restart")
		require.Equal(t, after, valuesOf(again.await(t, 8, handledBy("audit"))))
		require.Empty(t, again.deliveries(func(d delivery) bool { return d.verdict == "dead" }))
	})
}

// checkDeadLetter compares the dead letter's headers with those recorded from the
// same service on Apache Kafka.
func checkDeadLetter(t *testing.T, b broker) {
	t.Helper()
	dlt := client(t, b, kgo.ConsumeTopics("mail.dlt"))
	records := dlt.PollFetches(t.Context()).Records()
	require.Len(t, records, 1)
	require.Equal(t, "fail-0", string(records[0].Value))
	require.Equal(t, "key-fail-0", string(records[0].Key))
	var names []string
	for _, h := range records[0].Headers {
		if h.Key != "__TypeId__" {
			names = append(names, h.Key)
		}
	}
	require.Equal(t, recordedDeadLetter(t), names)
}

// recordedDeadLetter returns the header names of the dead letter in the recorded
// case "tutorial", without JSON's type header, which our service does not use.
func recordedDeadLetter(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../../delivery/testdata/spring/3.3/tutorial.json")
	require.NoError(t, err)
	var c struct {
		Records []struct {
			Topic   string
			Headers []struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal(data, &c))
	for _, r := range c.Records {
		if strings.HasSuffix(r.Topic, ".dlt") {
			var names []string
			for _, h := range r.Headers {
				if h.Name != "__TypeId__" {
					names = append(names, h.Name)
				}
			}
			return names
		}
	}
	t.Fatal("no dead letter in the case tutorial")
	return nil
}
