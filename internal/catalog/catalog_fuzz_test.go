package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
)

// FuzzCatalog: whatever the store contains, Open refuses it, or every topic is found by
// its name and its ID.
func FuzzCatalog(f *testing.F) {
	f.Add("t/orders", []byte(`{"id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":3,"config":{"retention.ms":"5"},"born":1}`), []byte(`2`))
	f.Add("c/broker/1", []byte(`{"message.max.bytes":"abc"}`), []byte(`-1`))
	f.Add("c/group/g", []byte(`{"consumer.session.timeout.ms":"1"}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, key string, value, run []byte) {
		store := memmeta.New()
		_, err := store.Txn(t.Context(), nil, []meta.Op{{Key: "runs", Value: run}})
		require.NoError(t, err)
		if key != "runs" {
			_, err = store.Txn(t.Context(), nil, []meta.Op{{Key: key, Value: value}})
			require.NoError(t, err)
		}
		c, err := catalog.Open(t.Context(), store, 1, nil, true)
		if err != nil {
			return
		}
		s := c.Snapshot()
		for topic := range s.Topics() {
			require.Same(t, topic, s.Topic(topic.Name))
			require.NotNil(t, s.TopicByID(topic.ID))
			s.LeaderEpoch(topic)
			s.Layers(topic)
		}
	})
}
