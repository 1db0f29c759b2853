package format

// QuorumSnapshotPath is the snapshot of a dynamic quorum, below the data directory.
const QuorumSnapshotPath = quorumDir + "/" + quorumSnapshotFile
