package commitlog

import "time"

// chooser picks how a round is synced. One sync of the volume costs less than
// syncing a handful of files, unless other programs write much to the volume: then
// the sync waits for their bytes too. The times of the last rounds decide.
type chooser struct {
	noVolumeSync bool          // the system cannot sync a volume
	perFile      time.Duration // smoothed time per file, of rounds synced file by file
	volume       time.Duration // smoothed time per round, of rounds synced as a volume
}

const (
	// manyFiles is the number of files from which a sync of the volume is worth
	// trying.
	manyFiles = 4
	// volumeFactor is how many times as long as the files a sync of the volume may take.
	// It is above 1 because a sync of the volume costs less processor time.
	volumeFactor = 2
)

// takesVolume reports whether to sync the volume in a round of so many files. Each
// time that it finds the volume too slow, it lowers the remembered time a little,
// so that the volume is tried again some time.
func (c *chooser) takesVolume(files int) bool {
	if c.noVolumeSync || files < manyFiles {
		return false
	}
	if c.perFile > 0 && c.volume > volumeFactor*c.perFile*time.Duration(files) {
		c.volume -= c.volume / 32
		return false
	}
	return true
}

// tookFiles notes a round that was synced file by file.
func (c *chooser) tookFiles(n int, took time.Duration) {
	each := took / time.Duration(n)
	if c.perFile == 0 {
		c.perFile = each
	}
	c.perFile += (each - c.perFile) / 8
}

// tookVolume notes a round that was synced as a volume.
func (c *chooser) tookVolume(took time.Duration) { c.volume += (took - c.volume) / 2 }
