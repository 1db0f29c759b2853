package commitlog

// diskState is how much of a log is on the disk and not only in the page cache. Log.mu
// guards it. Offsets are ends: everything below them is there.
//
//	syncedTo <= Log.end
//	indexesSyncedTo <= indexesSavedTo, once a checkpoint or a flush has moved them
//
// Batches are announced when syncedTo has passed them, or before it where nobody waits for
// the disk.
type diskState struct {
	syncedTo        int64 // batches
	indexesSavedTo  int64 // index entries are in the files; -1 after a crash, until they are saved
	indexesSyncedTo int64 // index files are synced

	firstUnsynced int            // index in Log.segments: the segments before it are synced
	unsyncedNames bool           // the directory has names, or the index files have bytes, that are not synced
	unsyncedFiles []unsyncedFile // snapshots

	// base is the base offset of the first segment that a crash could bring back; at most
	// Log.segments[0].base.
	base int64
}

// recoveryPoint is the offset below which the next start believes batches and indexes
// without proof.
func (d *diskState) recoveryPoint() int64 { return min(d.syncedTo, d.indexesSyncedTo) }

// foundAtOpen is what the last process left of a log.
type foundAtOpen struct {
	recoveryPoint int64 // as the checkpoint has it; the end, after a clean stop. Used only while the log is loaded
	end           int64 // -1 after a crash: the next clean stop has to save everything
}
