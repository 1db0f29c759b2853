import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Two members of one group. Both are polled by this thread, turn by turn. */
final class Rebalancing {
    static void checks() {
        for (Class<?> assignor : List.of(RangeAssignor.class, RoundRobinAssignor.class, StickyAssignor.class, CooperativeStickyAssignor.class)) {
            Object[] settings = {"partition.assignment.strategy", assignor.getName()};
            Compat.check("rebalance-" + assignor.getSimpleName(), () -> shares("rebalance-" + assignor.getSimpleName(), settings));
        }
        for (String assignor : List.of("uniform", "range")) {
            Compat.check("rebalance-consumer-protocol-" + assignor,
                    () -> shares("rebalance-new-" + assignor, "group.protocol", "consumer", "group.remote.assignor", assignor));
        }
        Compat.check("rebalance-cooperative-keeps", Rebalancing::cooperativeKeeps);
        Compat.check("static-member-returns", Rebalancing::staticReturns);
        Compat.check("static-member-fenced", Rebalancing::staticFenced);
        Compat.check("member-that-stops-polling-is-replaced", Rebalancing::silentMember);
        Compat.check("group-states", Rebalancing::states);
    }

    /** Two members share six partitions, every record is read once, and the one that is left gets all. */
    static void shares(String name, Object... settings) throws Exception {
        String topic = Compat.topic(name, 6);
        try (var a = Consuming.consumer(name, settings)) {
            a.subscribe(List.of(topic));
            until(() -> a.assignment().size() == 6, a);
            try (var b = Consuming.consumer(name, settings)) {
                b.subscribe(List.of(topic));
                until(() -> a.assignment().size() == 3 && b.assignment().size() == 3, a, b);
                Set<TopicPartition> both = new HashSet<>(a.assignment());
                both.addAll(b.assignment());
                Compat.equal(6, both.size());
                for (int p = 0; p < 6; p++) {
                    Producing.fill(topic, p, 20);
                }
                List<String> fromA = new ArrayList<>();
                List<String> fromB = new ArrayList<>();
                for (int i = 0; i < 100 && fromA.size() + fromB.size() < 120; i++) {
                    a.poll(Duration.ofMillis(100)).forEach(r -> fromA.add(r.partition() + "@" + r.offset()));
                    b.poll(Duration.ofMillis(100)).forEach(r -> fromB.add(r.partition() + "@" + r.offset()));
                }
                Set<String> once = new HashSet<>(fromA);
                once.addAll(fromB);
                Compat.equal(120, fromA.size() + fromB.size());
                Compat.equal(120, once.size());
                Compat.equal(60, fromA.size());
                a.commitSync();
                b.commitSync();
            }
            until(() -> a.assignment().size() == 6, a);
            Compat.equal(0, a.poll(Duration.ofMillis(300)).count());
        }
    }

    static void cooperativeKeeps() throws Exception {
        String topic = Compat.topic("cooperative", 4);
        Object[] settings = {"partition.assignment.strategy", CooperativeStickyAssignor.class.getName()};
        List<TopicPartition> revoked = new ArrayList<>();
        try (var a = Consuming.consumer("cooperative", settings); var b = Consuming.consumer("cooperative", settings)) {
            a.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> p) {
                    revoked.addAll(p);
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> p) {}
            });
            until(() -> a.assignment().size() == 4, a);
            b.subscribe(List.of(topic));
            until(() -> a.assignment().size() == 2 && b.assignment().size() == 2, a, b);
            Compat.equal(2, revoked.size());
            Compat.equal(Set.copyOf(revoked), b.assignment());
        }
    }

    /** A static member that comes back within its session gets its partitions without a rebalance. */
    static void staticReturns() throws Exception {
        String topic = Compat.topic("static", 4);
        List<String> moves = new ArrayList<>();
        try (var a = Consuming.consumer("static", "group.instance.id", "a")) {
            a.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> p) {
                    moves.add("revoked " + p);
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> p) {
                    moves.add("assigned " + p);
                }
            });
            Set<TopicPartition> before;
            try (var b = Consuming.consumer("static", "group.instance.id", "b")) {
                b.subscribe(List.of(topic));
                until(() -> a.assignment().size() == 2 && b.assignment().size() == 2, a, b);
                before = Set.copyOf(b.assignment());
            }
            moves.clear();
            try (var b = Consuming.consumer("static", "group.instance.id", "b")) {
                b.subscribe(List.of(topic));
                until(() -> b.assignment().size() == 2, a, b);
                Compat.equal(before, b.assignment());
                Compat.equal(List.of(), moves);
            }
        }
    }

    static void staticFenced() throws Exception {
        String topic = Compat.topic("fenced", 1);
        try (var old = Consuming.consumer("fenced", "group.instance.id", "x", "heartbeat.interval.ms", 100)) {
            old.subscribe(List.of(topic));
            until(() -> old.assignment().size() == 1, old);
            try (var young = Consuming.consumer("fenced", "group.instance.id", "x")) {
                young.subscribe(List.of(topic));
                until(() -> young.assignment().size() == 1, young);
                Compat.refused(FencedInstanceIdException.class, () -> until(() -> false, old));
            }
        }
    }

    /** A member that stays away longer than max.poll.interval.ms loses its partitions to the other. */
    static void silentMember() throws Exception {
        String topic = Compat.topic("silent", 2);
        try (var silent = Consuming.consumer("silent", "max.poll.interval.ms", 2000); var other = Consuming.consumer("silent")) {
            silent.subscribe(List.of(topic));
            until(() -> silent.assignment().size() == 2, silent);
            other.subscribe(List.of(topic));
            until(() -> other.assignment().size() == 2, other);
        }
    }

    static void states() throws Exception {
        String topic = Compat.topic("states", 1);
        try (var c = Consuming.consumer("states")) {
            c.subscribe(List.of(topic));
            until(() -> c.assignment().size() == 1, c);
            Compat.equal(GroupState.STABLE, state());
        }
        Compat.equal(GroupState.EMPTY, state());
    }

    private static GroupState state() throws Exception {
        return Compat.admin.describeConsumerGroups(List.of("states")).describedGroups().get("states").get().groupState();
    }

    interface Condition {
        boolean holds();
    }

    /** Polls the members until the condition holds; thirty seconds are too long. */
    @SafeVarargs
    static void until(Condition c, KafkaConsumer<String, String>... members) {
        long began = System.nanoTime();
        while (!c.holds()) {
            Compat.that(System.nanoTime() - began < 30_000_000_000L, "still " + assignments(members));
            for (var m : members) {
                m.poll(Duration.ofMillis(50));
            }
        }
    }

    private static List<Set<TopicPartition>> assignments(KafkaConsumer<String, String>[] members) {
        List<Set<TopicPartition>> all = new ArrayList<>();
        for (var m : members) {
            all.add(m.assignment());
        }
        return all;
    }

    private Rebalancing() {}
}
