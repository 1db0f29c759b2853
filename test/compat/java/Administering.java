import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The admin client: topics, configs, offsets, groups, the cluster. */
final class Administering {
    private static Admin admin;

    static void checks() {
        admin = Compat.admin;
        Compat.check("admin-create-describe", Administering::createDescribe);
        Compat.check("admin-create-defaults", Administering::createDefaults);
        Compat.check("admin-create-validate-only", Administering::validateOnly);
        Compat.check("admin-create-refusals", Administering::createRefusals);
        Compat.check("admin-describe-by-id", Administering::describeById);
        Compat.check("admin-describe-missing", Administering::describeMissing);
        Compat.check("admin-delete", Administering::delete);
        Compat.check("admin-delete-by-id-and-create-again", Administering::deleteById);
        Compat.check("admin-create-partitions", Administering::createPartitions);
        Compat.check("admin-topic-configs", Administering::topicConfigs);
        Compat.check("admin-append-and-subtract-config", Administering::listConfigs);
        Compat.check("admin-config-refused", Administering::configRefused);
        Compat.check("admin-broker-configs", Administering::brokerConfigs);
        Compat.check("admin-list-offsets", Administering::listOffsets);
        Compat.check("admin-delete-records", Administering::deleteRecords);
        Compat.check("admin-groups", Administering::groups);
        Compat.check("admin-group-missing", Administering::groupMissing);
        Compat.check("admin-group-delete", Administering::groupDelete);
        Compat.check("admin-group-offsets", Administering::groupOffsets);
        Compat.check("admin-group-delete-offsets", Administering::groupDeleteOffsets);
        Compat.check("admin-group-remove-members", Administering::removeMembers);
        Compat.check("admin-describe-cluster", Administering::cluster);
        Compat.check("admin-describe-log-dirs", Administering::logDirs);
        Compat.check("admin-describe-producers", Administering::producers);
        Compat.check("admin-describe-features", Administering::features);
        Compat.check("admin-list-transactions", Administering::noTransactions);
    }

    private static TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get();
    }

    /** Creates a topic and waits until a broker knows it, which on Kafka is a moment later. */
    private static void create(NewTopic t) throws Exception {
        Uuid id = admin.createTopics(List.of(t)).topicId(t.name()).get();
        eventually("no topic " + t.name(), () -> {
            try {
                return describe(t.name()).topicId().equals(id);
            } catch (ExecutionException e) {
                return false;
            }
        });
    }

    private static void eventually(String otherwise, Callable<Boolean> holds) throws Exception {
        long began = System.nanoTime();
        while (!holds.call()) {
            Compat.that(System.nanoTime() - began < 10_000_000_000L, otherwise);
            Thread.sleep(20);
        }
    }

    static void createDescribe() throws Exception {
        var result = admin.createTopics(List.of(new NewTopic("described", 3, (short) 1).configs(Map.of("retention.ms", "1000"))));
        result.all().get();
        Compat.equal(3, result.numPartitions("described").get());
        Compat.equal(1, result.replicationFactor("described").get());
        Compat.equal("1000", result.config("described").get().get("retention.ms").value());
        TopicDescription d = describe("described");
        Compat.equal(result.topicId("described").get(), d.topicId());
        Compat.equal(3, d.partitions().size());
        Compat.equal(false, d.isInternal());
        for (var p : d.partitions()) {
            Compat.equal(1, p.leader().id());
            Compat.equal(1, p.replicas().size());
            Compat.equal(1, p.isr().size());
        }
    }

    static void createDefaults() throws Exception {
        create(new NewTopic("defaults", Optional.empty(), Optional.empty()));
        Compat.equal(1, describe("defaults").partitions().size());
        create(new NewTopic("assigned", Map.of(0, List.of(1), 1, List.of(1))));
        Compat.equal(2, describe("assigned").partitions().size());
    }

    static void validateOnly() throws Exception {
        admin.createTopics(List.of(new NewTopic("imagined", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        Compat.that(!admin.listTopics().names().get().contains("imagined"), "it was created");
    }

    static void createRefusals() throws Exception {
        create(new NewTopic("taken", 1, (short) 1));
        Compat.refused(TopicExistsException.class, () -> create(new NewTopic("taken", 1, (short) 1)));
        Compat.refused(InvalidReplicationFactorException.class, () -> create(new NewTopic("refused", 1, (short) 3)));
        Compat.refused(InvalidPartitionsException.class, () -> create(new NewTopic("refused", 0, (short) 1)));
        Compat.refused(InvalidTopicException.class, () -> create(new NewTopic("not/allowed", 1, (short) 1)));
        Compat.refused(InvalidConfigurationException.class, () -> create(new NewTopic("refused", 1, (short) 1).configs(Map.of("no.such.config", "1"))));
    }

    static void describeById() throws Exception {
        create(new NewTopic("by-id", 2, (short) 1));
        Uuid id = describe("by-id").topicId();
        Compat.equal("by-id", admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name());
    }

    static void describeMissing() throws Exception {
        Compat.refused(UnknownTopicOrPartitionException.class, () -> describe("never-created"));
    }

    static void delete() throws Exception {
        create(new NewTopic("doomed", 1, (short) 1));
        admin.deleteTopics(List.of("doomed")).all().get();
        eventually("still listed", () -> !admin.listTopics().names().get().contains("doomed"));
        Compat.refused(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of("doomed")).all().get());
    }

    static void deleteById() throws Exception {
        create(new NewTopic("reborn", 1, (short) 1));
        Producing.fill("reborn", 0, 5);
        Uuid id = describe("reborn").topicId();
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        create(new NewTopic("reborn", 1, (short) 1));
        Compat.that(!id.equals(describe("reborn").topicId()), "the same topic ID");
        Compat.equal(0L, offset("reborn", OffsetSpec.latest()));
    }

    static void createPartitions() throws Exception {
        create(new NewTopic("grown", 1, (short) 1));
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(4))).all().get();
        eventually("not four partitions", () -> describe("grown").partitions().size() == 4);
        Compat.refused(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(2))).all().get());
        Producing.fill("grown", 3, 1);
    }

    private static Config configs(ConfigResource r) throws Exception {
        return admin.describeConfigs(List.of(r)).all().get().get(r);
    }

    private static void alter(ConfigResource r, AlterConfigOp.OpType op, String name, String value) throws Exception {
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(name, value), op));
        admin.incrementalAlterConfigs(Map.of(r, ops)).all().get();
    }

    static void topicConfigs() throws Exception {
        create(new NewTopic("configured", 1, (short) 1));
        var r = new ConfigResource(ConfigResource.Type.TOPIC, "configured");
        Compat.equal(ConfigEntry.ConfigSource.DEFAULT_CONFIG, configs(r).get("retention.ms").source());
        Compat.equal("604800000", configs(r).get("retention.ms").value());
        alter(r, AlterConfigOp.OpType.SET, "retention.ms", "5000");
        Compat.equal("5000", configs(r).get("retention.ms").value());
        Compat.equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, configs(r).get("retention.ms").source());
        alter(r, AlterConfigOp.OpType.DELETE, "retention.ms", null);
        Compat.equal("604800000", configs(r).get("retention.ms").value());
    }

    static void listConfigs() throws Exception {
        create(new NewTopic("listed", 1, (short) 1));
        var r = new ConfigResource(ConfigResource.Type.TOPIC, "listed");
        alter(r, AlterConfigOp.OpType.APPEND, "cleanup.policy", "compact");
        Compat.equal("delete,compact", configs(r).get("cleanup.policy").value());
        alter(r, AlterConfigOp.OpType.SUBTRACT, "cleanup.policy", "delete");
        Compat.equal("compact", configs(r).get("cleanup.policy").value());
    }

    static void configRefused() throws Exception {
        create(new NewTopic("strict", 1, (short) 1));
        var r = new ConfigResource(ConfigResource.Type.TOPIC, "strict");
        Compat.refused(InvalidConfigurationException.class, () -> alter(r, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
        Compat.refused(InvalidConfigurationException.class, () -> alter(r, AlterConfigOp.OpType.SET, "no.such.config", "1"));
    }

    static void brokerConfigs() throws Exception {
        var r = new ConfigResource(ConfigResource.Type.BROKER, "1");
        Compat.equal("1", configs(r).get("node.id").value());
        alter(r, AlterConfigOp.OpType.SET, "log.cleaner.threads", "2");
        comesTo(r, "log.cleaner.threads", "2");
        alter(r, AlterConfigOp.OpType.DELETE, "log.cleaner.threads", null);
        comesTo(r, "log.cleaner.threads", "1");
    }

    /** A broker hears of a change of its own settings a little later. */
    private static void comesTo(ConfigResource r, String name, String value) throws Exception {
        eventually(name + " is not " + value, () -> value.equals(configs(r).get(name).value()));
    }

    private static long offset(String topic, OffsetSpec spec) throws Exception {
        var tp = new TopicPartition(topic, 0);
        return admin.listOffsets(Map.of(tp, spec)).partitionResult(tp).get().offset();
    }

    static void listOffsets() throws Exception {
        create(new NewTopic("offsets", 1, (short) 1));
        try (var p = Producing.producer()) {
            for (long time : new long[] {1000, 5000, 3000}) {
                p.send(new ProducerRecord<>("offsets", 0, 1_700_000_000_000L + time, null, new byte[1])).get();
            }
        }
        Compat.equal(0L, offset("offsets", OffsetSpec.earliest()));
        Compat.equal(3L, offset("offsets", OffsetSpec.latest()));
        Compat.equal(1L, offset("offsets", OffsetSpec.maxTimestamp()));
        Compat.equal(1L, offset("offsets", OffsetSpec.forTimestamp(1_700_000_002_000L)));
        Compat.equal(-1L, offset("offsets", OffsetSpec.forTimestamp(1_700_000_009_000L)));
        Compat.equal(0L, offset("offsets", OffsetSpec.earliestLocal()));
        Compat.equal(-1L, offset("offsets", OffsetSpec.latestTiered()));
    }

    static void deleteRecords() throws Exception {
        create(new NewTopic("trimmed", 1, (short) 1));
        Producing.fill("trimmed", 0, 10);
        var tp = new TopicPartition("trimmed", 0);
        var done = admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(4)));
        Compat.equal(4L, done.lowWatermarks().get(tp).get().lowWatermark());
        Compat.equal(4L, offset("trimmed", OffsetSpec.earliest()));
        Compat.equal(6, Producing.read("trimmed", 6).size());
        Compat.refused(OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(40))).all().get());
        admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).all().get();
        Compat.equal(10L, offset("trimmed", OffsetSpec.earliest()));
    }

    /** A group with a topic, of which the first three records are committed. */
    private static TopicPartition group(String name) throws Exception {
        create(new NewTopic(name, 1, (short) 1));
        Producing.fill(name, 0, 5);
        var tp = new TopicPartition(name, 0);
        try (var c = Consuming.consumer(name)) {
            c.subscribe(List.of(name));
            Consuming.take(c, 5);
            c.commitSync(Map.of(tp, new OffsetAndMetadata(3)));
        }
        return tp;
    }

    static void groups() throws Exception {
        group("admin-empty");
        create(new NewTopic("admin-live", 2, (short) 1));
        try (var c = Consuming.consumer("admin-live", "client.id", "the-client")) {
            c.subscribe(List.of("admin-live"));
            Rebalancing.until(() -> c.assignment().size() == 2, c);
            Map<String, String> listed = admin.listGroups().all().get().stream()
                    .collect(Collectors.toMap(GroupListing::groupId, g -> g.groupState().get() + " " + g.type().get()));
            Compat.equal("Empty Classic", listed.get("admin-empty"));
            Compat.equal("Stable Classic", listed.get("admin-live"));
            var d = admin.describeConsumerGroups(List.of("admin-live")).all().get().get("admin-live");
            Compat.equal(1, d.members().size());
            var m = d.members().iterator().next();
            Compat.equal("the-client", m.clientId());
            Compat.equal("/127.0.0.1", m.host());
            Compat.equal(2, m.assignment().topicPartitions().size());
            Compat.equal("range", d.partitionAssignor());
            Compat.equal(1, d.coordinator().id());
        }
    }

    static void groupMissing() throws Exception {
        Compat.refused(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of("no-such-group")).all().get());
        Compat.refused(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of("no-such-group")).all().get());
    }

    static void groupDelete() throws Exception {
        var tp = group("admin-delete");
        try (var c = Consuming.consumer("admin-delete")) {
            c.subscribe(List.of(tp.topic()));
            Rebalancing.until(() -> c.assignment().size() == 1, c);
            Compat.refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of("admin-delete")).all().get());
        }
        admin.deleteConsumerGroups(List.of("admin-delete")).all().get();
        Compat.that(admin.listGroups().all().get().stream().noneMatch(g -> g.groupId().equals("admin-delete")), "still listed");
    }

    static void groupOffsets() throws Exception {
        var tp = group("admin-offsets");
        Compat.equal(3L, committed("admin-offsets").get(tp).offset());
        admin.alterConsumerGroupOffsets("admin-offsets", Map.of(tp, new OffsetAndMetadata(1, "by hand"))).all().get();
        Compat.equal(1L, committed("admin-offsets").get(tp).offset());
        Compat.equal("by hand", committed("admin-offsets").get(tp).metadata());
        try (var c = Consuming.consumer("admin-offsets")) {
            c.subscribe(List.of(tp.topic()));
            Compat.equal(List.of("1", "2", "3", "4"), Consuming.take(c, 4));
        }
    }

    static void groupDeleteOffsets() throws Exception {
        var tp = group("admin-forgets");
        admin.deleteConsumerGroupOffsets("admin-forgets", Set.of(tp)).all().get();
        Compat.equal(Map.of(), new HashMap<>(committed("admin-forgets")));
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    static void removeMembers() throws Exception {
        create(new NewTopic("removed", 1, (short) 1));
        try (var c = Consuming.consumer("removed", "group.instance.id", "i")) {
            c.subscribe(List.of("removed"));
            Rebalancing.until(() -> c.assignment().size() == 1, c);
        }
        admin.removeMembersFromConsumerGroup("removed", new RemoveMembersFromConsumerGroupOptions()).all().get();
        Compat.equal(0, admin.describeConsumerGroups(List.of("removed")).all().get().get("removed").members().size());
    }

    static void cluster() throws Exception {
        var d = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
        Compat.equal(1, d.nodes().get().size());
        Compat.equal(1, d.controller().get().id());
        Compat.equal(Compat.bootstrap, d.controller().get().host() + ":" + d.controller().get().port());
        Compat.equal(22, d.clusterId().get().length());
    }

    static void logDirs() throws Exception {
        create(new NewTopic("sized", 1, (short) 1));
        Producing.fill("sized", 0, 100);
        var dirs = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
        Compat.equal(1, dirs.size());
        var dir = dirs.values().iterator().next();
        var info = dir.replicaInfos().get(new TopicPartition("sized", 0));
        Compat.that(info.size() > 500, "size " + info.size());
        Compat.equal(0L, info.offsetLag());
        Compat.equal(false, info.isFuture());
        Compat.that(dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong(), "total and usable bytes");
    }

    static void producers() throws Exception {
        create(new NewTopic("two-producers", 1, (short) 1));
        var tp = new TopicPartition("two-producers", 0);
        Producing.fill("two-producers", 0, 3);
        Producing.fill("two-producers", 0, 4);
        var ids = new ArrayList<Long>();
        for (var p : admin.describeProducers(List.of(tp)).all().get().get(tp).activeProducers()) {
            ids.add(p.producerId());
            Compat.that(p.lastTimestamp() > 0, "no timestamp");
            Compat.equal(true, p.currentTransactionStartOffset().isEmpty());
        }
        Compat.equal(2, Set.copyOf(ids).size());
    }

    static void features() throws Exception {
        var f = admin.describeFeatures().featureMetadata().get();
        Compat.that(f.finalizedFeatures().containsKey("metadata.version"), "features " + f.finalizedFeatures().keySet());
        Compat.that(f.finalizedFeatures().containsKey("group.version"), "features " + f.finalizedFeatures().keySet());
    }

    static void noTransactions() throws Exception {
        Compat.equal(List.of(), List.copyOf(admin.listTransactions().all().get()));
    }

    private Administering() {}
}
