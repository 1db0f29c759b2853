package botetest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/botetest"
)

// A test gets its own broker on a free port, which is closed when the test ends.
func ExampleNew() {
	test := func(t *testing.T) { //nolint:thelper // a test
		b := botetest.New(t, botetest.WithProperty("num.partitions", "3"))
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
	}
	_ = test
}
