package commitlog

// diskState is how much of a log is on the disk, and not only in the page cache. Log.mu
// guards it. Offsets are exclusive ends: everything below them is there.
//
//	syncedTo <= Log.end
//	indexesSyncedTo <= indexesSavedTo, unless indexesSavedTo is -1
//
// A batch is announced once syncedTo has passed it or, where batches do not wait for
// syncs ([FlushInterval] and [FlushOS], unless the topic has AlwaysSync), at once.
type diskState struct {
	syncedTo        int64 // batches
	indexesSavedTo  int64 // index entries have been written to the files; -1 after a crash, until they are saved
	indexesSyncedTo int64 // index files are synced

	firstUnsynced          int            // index in Log.segments: the segments before it are synced
	unsyncedNamesOrIndexes bool           // names in the directory, or bytes in the index files, are not synced
	unsyncedFiles          []unsyncedFile // snapshots

	// firstBaseOnDisk is the base offset of the first segment that could be there after a crash. It
	// is at most Log.segments[0].base.
	firstBaseOnDisk int64
}

// recoveryPoint is the offset below which the next start believes batches and indexes
// without proof.
func (d *diskState) recoveryPoint() int64 { return min(d.syncedTo, d.indexesSyncedTo) }

// foundAtOpen is what the last process left of a log.
type foundAtOpen struct {
	recoveryPoint int64 // from the checkpoint; after a clean stop the end. Used only while the log is opened
	cleanEnd      int64 // -1 after a crash: the next clean stop has to save everything
}
