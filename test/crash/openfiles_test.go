//go:build unix

package crash_test

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestOpenFileLimit runs the broker with 64 files where topics and connections need
// more. Topics that it cannot create are refused with Kafka's errors, connections
// wait, and what is acknowledged is there. When connections are closed, everything
// goes on. After a kill the broker starts again with the same limit.
func TestOpenFileLimit(t *testing.T) {
	d := newDaemon(t, filepath.Join(t.TempDir(), "log"))
	d.command = append([]string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}, d.command...)
	d.start(t)
	client, err := kgo.NewClient(patient(d.addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	acked := map[string]int64{} // from topic to the end of what is acknowledged
	write := func(name string) error {
		r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: name, Value: []byte(name)}).First()
		if err == nil {
			acked[name] = r.Offset + 1
		}
		return err
	}
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "first")
	require.NoError(t, err)
	require.NoError(t, write("first"))

	var crowd []net.Conn
	for range 80 {
		c, err := net.DialTimeout("tcp", d.addr, patience)
		require.NoError(t, err) // the system queues those that the broker does not accept
		crowd = append(crowd, c)
	}
	refused := 0
	for i := range 10 {
		name := fmt.Sprintf("crowded-%d", i)
		if _, err := admin.CreateTopic(t.Context(), 4, 1, nil, name); err != nil {
			var refusal *kerr.Error
			require.ErrorAs(t, err, &refusal)
			refused++
		}
	}
	require.NotZero(t, refused, "there were files left, so nothing is shown")
	require.True(t, d.running())
	for _, c := range crowd {
		require.NoError(t, c.Close())
	}

	for i := range 30 {
		name := fmt.Sprintf("after-%d", i)
		require.Eventually(t, func() bool {
			_, err := admin.CreateTopic(t.Context(), 1, 1, nil, name)
			return err == nil
		}, patience, 20*time.Millisecond, "topics are created again")
	}
	for i := range 30 {
		require.NoError(t, write(fmt.Sprintf("after-%d", i%10)))
	}
	require.NoError(t, write("first"))
	for range 2 {
		d.kill()
		d.start(t)
		ends, err := admin.ListEndOffsets(t.Context())
		require.NoError(t, err)
		for name, end := range acked {
			o, ok := ends.Lookup(name, 0)
			require.True(t, ok, name)
			require.NoError(t, o.Err)
			require.Equal(t, end, o.Offset, "%s", name)
		}
	}
	require.False(t, d.panicked(t))
	t.Logf("%d of 10 topics refused, %d topics written", refused, len(acked))
}
