package cli

// quorumSnapshotPath is the snapshot of a dynamic quorum, below the data directory.
const quorumSnapshotPath = quorumDir + "/" + quorumSnapshotFile
