package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// openStore opens the log directory, and formats it if it is empty.
func (b *Broker) openStore(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := b.settings.LogDirs[0]
	id, err := commitlog.ReadIdentity(b.cfg.FS, dir)
	if errors.Is(err, commitlog.ErrNotFormatted) {
		id = commitlog.Identity{ClusterID: cluster.NewID(), NodeID: b.settings.NodeID, DirectoryID: cluster.NewID()}
		if err = commitlog.WriteIdentity(b.cfg.FS, dir, id); err == nil {
			b.log.Info("formatted the data directory", slog.String("data", dir), slog.String("cluster", id.ClusterID))
		}
	}
	if err != nil {
		return err
	}
	if id.NodeID != b.settings.NodeID {
		return fmt.Errorf("data directory %s belongs to node.id %d, but node.id is %d: correct the setting, or choose another directory", dir, id.NodeID, b.settings.NodeID)
	}
	b.node.ClusterID = id.ClusterID
	b.store, err = commitlog.Open(b.storeConfig())
	return err
}

// storeConfig returns what the settings say about the log directory.
func (b *Broker) storeConfig() commitlog.Config {
	return commitlog.Config{
		FS: b.cfg.FS, Dir: b.settings.LogDirs[0], Flush: flushMode(b.settings.Durability), FlushEvery: b.settings.FlushInterval,
		CheckpointEvery: b.settings.Logs.RecoveryCheckpoint, RetentionEvery: b.settings.Logs.RetentionCheck,
		Now: b.cfg.Now, Logger: b.log, Registerer: b.cfg.Registerer,
	}
}

func flushMode(durability string) commitlog.FlushMode {
	switch durability {
	case config.FlushInterval:
		return commitlog.FlushInterval
	case config.FlushOS:
		return commitlog.FlushOS
	default:
		return commitlog.FlushCommit
	}
}

// openCatalog opens the store of metadata and the catalog.
func (b *Broker) openCatalog(ctx context.Context) (err error) {
	if b.meta, err = b.cfg.OpenMeta(b.store.Dir()); err != nil {
		return err
	}
	b.catalog, err = catalog.Open(ctx, b.meta, b.settings.NodeID, b.settings.Static, !b.store.Clean())
	if err == nil {
		b.catalog.SetApplier(b)
		b.leaders = cluster.NewLeaders(b.node)
		b.leaders.SetListener(b)
	}
	return err
}
