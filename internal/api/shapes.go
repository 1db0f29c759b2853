package api

// configWeight is how many elements a resource of DescribeConfigs counts as, because
// the answer has some dozen configs for it: 25,000 resources are within the usual
// limit.
const configWeight = 20

// shapes returns the layout of the requests of all APIs in the table, by key. A field
// is given by its size; comments name those that vary.
func shapes() map[int16]shape {
	return map[int16]shape{
		0: {9, []field{ // Produce
			text().from(3), // transactional ID
			fix(2 + 4),     // acks, timeout
			array(text().to(12), fix(16).from(13), array(fix(4), blob())), // topics, partitions, records
		}},
		1: {12, []field{ // Fetch
			fix(4).to(14), fix(4 + 4), fix(4).from(3), fix(1).from(4), fix(4 + 4).from(7), // replica, wait, min and max bytes, isolation, session
			array(text().to(12), fix(16).from(13), array( // topics, partitions
				fix(4), fix(4).from(9), fix(8), fix(4).from(12), fix(8).from(5), fix(4),
				inTag(0, bare(fix(16))), inTag(1, bare(fix(8))), // directory, high watermark
			)),
			array(text().to(12), fix(16).from(13), array(bare(fix(4)))).from(7), // forgotten
			text().from(11),                            // rack
			inTag(0, bare(text())), inTag(1, fix(4+8)), // cluster; replica and its epoch
		}},
		2: {6, []field{ // ListOffsets
			fix(4), fix(1).from(2), array(text(), array(fix(4), fix(4).from(4), fix(8), fix(4).to(0))), fix(4).from(10),
		}},
		3: {9, []field{ // Metadata
			arrayOrNull(fix(16).from(10), text()), fix(1).from(4), fix(1).from(8).to(10), fix(1).from(8),
		}},
		8: {8, []field{ // OffsetCommit
			text(), fix(4).from(1), text().from(1), text().from(7), fix(8).from(2).to(4), // group, generation, member, instance, retention
			array(text().to(9), fix(16).from(10), array(fix(4+8), fix(8).from(1).to(1), fix(4).from(6), text())),
		}},
		9: {6, []field{ // OffsetFetch
			text().to(7), arrayOrNull(text(), array(bare(fix(4)))).to(7), // group, topics
			array(text(), text().from(9), fix(4).from(9), arrayOrNull(text().to(9), fix(16).from(10), array(bare(fix(4))))).from(8), // groups
			fix(1).from(7),
		}},
		10: {3, []field{text().to(3), fix(1).from(1), array(bare(text())).from(4)}},                                                  // FindCoordinator
		11: {6, []field{text(), fix(4), fix(4).from(1), text(), text().from(5), text(), array(text(), blob()), text().from(8)}},      // JoinGroup
		12: {4, []field{text(), fix(4), text(), text().from(3)}},                                                                     // Heartbeat
		13: {4, []field{text(), text().to(2), array(text(), text(), text().from(5)).from(3)}},                                        // LeaveGroup
		14: {4, []field{text(), fix(4), text(), text().from(3), text().from(5), text().from(5), array(text(), blob())}},              // SyncGroup
		15: {5, []field{array(bare(text())), fix(1).from(3)}},                                                                        // DescribeGroups
		16: {3, []field{array(bare(text())).from(4), array(bare(text())).from(5)}},                                                   // ListGroups
		17: {never, []field{text()}},                                                                                                 // SaslHandshake
		18: {3, []field{text().from(3), text().from(3), text().from(5), fix(4).from(5)}},                                             // ApiVersions
		19: {5, []field{array(text(), fix(4+2), array(fix(4), array(bare(fix(4)))), array(text(), text())), fix(4), fix(1).from(1)}}, // CreateTopics
		20: {4, []field{array(bare(text())).to(5), array(text(), fix(16)).from(6), fix(4)}},                                          // DeleteTopics
		21: {2, []field{array(text(), array(fix(4+8))), fix(4)}},                                                                     // DeleteRecords
		22: {2, []field{text(), fix(4), fix(8 + 2).from(3)}},                                                                         // InitProducerId
		23: {4, []field{fix(4).from(3), array(text(), array(fix(4), fix(4).from(2), fix(4)))}},                                       // OffsetForLeaderEpoch
		32: {4, []field{array(fix(1), text(), arrayOrNull(bare(text()))).each(configWeight), fix(1).from(1), fix(1).from(3)}},        // DescribeConfigs
		33: {2, []field{array(fix(1), text(), array(text(), text())), fix(1)}},                                                       // AlterConfigs
		35: {2, []field{arrayOrNull(text(), array(bare(fix(4))))}},                                                                   // DescribeLogDirs
		36: {2, []field{blob()}},                                                                                                     // SaslAuthenticate
		37: {2, []field{array(text(), fix(4), arrayOrNull(array(bare(fix(4))))), fix(4), fix(1)}},                                    // CreatePartitions
		42: {2, []field{array(bare(text()))}},                                                                                        // DeleteGroups
		44: {1, []field{array(fix(1), text(), array(text(), fix(1), text())), fix(1)}},                                               // IncrementalAlterConfigs
		46: {0, []field{fix(4), arrayOrNull(text(), array(bare(fix(4))))}},                                                           // ListPartitionReassignments
		47: {never, []field{text(), array(text(), array(fix(4)))}},                                                                   // OffsetDelete
		60: {0, []field{fix(1), fix(1).from(1), fix(1).from(2)}},                                                                     // DescribeCluster
		61: {0, []field{array(text(), array(bare(fix(4))))}},                                                                         // DescribeProducers
		74: {0, []field{array(bare(fix(1))).from(1)}},                                                                                // ListConfigResources
		75: {0, []field{array(text()), fix(4), maybe(text(), fix(4))}},                                                               // DescribeTopicPartitions
	}
}
