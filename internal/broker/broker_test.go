package broker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/broker"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEachStepThatFails breaks the things that a broker is built on, one at a time.
// Open returns the error and leaves nothing behind: the next broker on the same disk
// and address starts.
func TestEachStepThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	server, _, err := config.ParseServer(map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093", "log.dirs": "/data",
	})
	require.NoError(t, err)
	disk, kept := vfs.NewMem(), memmeta.New()
	sound := func() broker.Config {
		return broker.Config{Settings: server, FS: disk, OpenMeta: func(string) (meta.Store, error) { return kept, nil }}
	}
	for name, breakIt := range map[string]func(*broker.Config){
		"the second listener": func(c *broker.Config) {
			c.Listen = func(ctx context.Context, name, address string) (*wire.Listener, error) {
				if name == "CONTROLLER" {
					return nil, broken
				}
				return wire.Listen(ctx, name, address)
			}
		},
		"the disk": func(c *broker.Config) {
			faulty := vfs.NewFaulty(disk)
			faulty.Inject(func(op vfs.Op, _ string) error {
				if op == vfs.OpOpen {
					return broken
				}
				return nil
			})
			c.FS = faulty
		},
		"the store of metadata": func(c *broker.Config) {
			c.OpenMeta = func(string) (meta.Store, error) { return nil, broken }
		},
		"the metadata": func(c *broker.Config) {
			c.OpenMeta = func(string) (meta.Store, error) { return unreadable{nil, broken}, nil }
		},
	} {
		cfg := sound()
		breakIt(&cfg)
		_, err := broker.Open(t.Context(), cfg)
		require.ErrorIs(t, err, broken, name)
	}
	b, err := broker.Open(t.Context(), sound())
	require.NoError(t, err)
	require.NotEmpty(t, b.ClusterID())
	require.Len(t, b.Addrs(), 2)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "once more")
	require.NoError(t, b.Serve(t.Context()), "it is over at once")
}

// unreadable is a store whose reads fail.
type unreadable struct {
	meta.Store
	err error
}

func (u unreadable) Get(context.Context, string) (meta.Entry, error) { return meta.Entry{}, u.err }

func (u unreadable) List(context.Context, string, string, int) ([]meta.Entry, int64, error) {
	return nil, 0, u.err
}

func (unreadable) Close() error { return nil }
