package commitlog

import "time"

// chooser picks how a round is synced. One sync of the volume costs less than a
// handful of files, unless others write much to the volume: then it waits for
// them too. What the last rounds took decides.
type chooser struct {
	never   bool          // the system has no such thing
	perFile time.Duration // smoothed, of the rounds that were synced file by file
	volume  time.Duration // smoothed, of those that were synced as a volume
}

const (
	// manyFiles is from where on a sync of the volume is worth trying.
	manyFiles = 4
	// patience is how much longer than the files it may take: it costs the
	// processor less.
	patience = 2
)

// takesVolume decides about a round. Each time the volume is thought too slow it
// is thought a little less so, and so tried again some time.
func (c *chooser) takesVolume(files int) bool {
	if c.never || files < manyFiles {
		return false
	}
	if c.perFile > 0 && c.volume > patience*c.perFile*time.Duration(files) {
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
