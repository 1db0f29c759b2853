package format

// QuorumSnapshotPath is the path of a dynamic quorum's snapshot below the data directory.
const QuorumSnapshotPath = quorumDir + "/" + quorumSnapshotFile
