import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** One consumer alone: positions, commits, resets, in the classic and in the newer group protocol. */
final class Consuming {
    static void checks() {
        for (String protocol : List.of("classic", "consumer")) {
            Compat.check("group-" + protocol + "-read-all", () -> readAll(protocol));
            Compat.check("group-" + protocol + "-resumes", () -> resumes(protocol));
            Compat.check("group-" + protocol + "-pattern", () -> pattern(protocol));
        }
        Compat.check("commit-sync", Consuming::commitSync);
        Compat.check("commit-async", Consuming::commitAsync);
        Compat.check("commit-metadata", Consuming::commitMetadata);
        Compat.check("commit-auto", Consuming::commitAuto);
        Compat.check("seek", Consuming::seek);
        Compat.check("offsets-for-times", Consuming::offsetsForTimes);
        Compat.check("begin-and-end-offsets", Consuming::beginAndEnd);
        Compat.check("reset-earliest", () -> reset("earliest", 0));
        Compat.check("reset-latest", () -> reset("latest", 10));
        Compat.check("reset-by-duration", () -> reset("by_duration:PT1H", 0));
        Compat.check("reset-none", Consuming::resetNone);
        Compat.check("reset-out-of-range", Consuming::outOfRange);
        Compat.check("pause-resume", Consuming::pauseResume);
        Compat.check("max-poll-records", Consuming::maxPollRecords);
        Compat.check("position-and-lag", Consuming::positionAndLag);
        Compat.check("long-poll-wakes", Consuming::longPoll);
    }

    static KafkaConsumer<String, String> consumer(String group, Object... pairs) {
        Map<String, Object> m = Compat.config("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false);
        m.putAll(Compat.config(pairs));
        if (!"consumer".equals(m.get("group.protocol"))) {
            m.putIfAbsent("heartbeat.interval.ms", 300); // how soon a member hears of a rebalance
        }
        return new KafkaConsumer<>(m, new StringDeserializer(), new StringDeserializer());
    }

    /** Polls until n values are there; fewer after ten seconds of silence is a failure. */
    static List<String> take(KafkaConsumer<String, String> c, int n) {
        List<String> got = new ArrayList<>();
        long heard = System.nanoTime();
        while (got.size() < n && System.nanoTime() - heard < 10_000_000_000L) {
            for (var r : c.poll(Duration.ofMillis(100))) {
                got.add(r.value());
                heard = System.nanoTime();
            }
        }
        Compat.equal(n, got.size());
        return got;
    }

    static String filled(String name, int n) throws Exception {
        Compat.topic(name, 1);
        Producing.fill(name, 0, n);
        return name;
    }

    static void readAll(String protocol) throws Exception {
        String topic = Compat.topic("read-all-" + protocol, 3);
        for (int p = 0; p < 3; p++) {
            Producing.fill(topic, p, 200);
        }
        try (var c = consumer("read-all-" + protocol, "group.protocol", protocol)) {
            c.subscribe(List.of(topic));
            take(c, 600);
            Compat.equal(3, c.assignment().size());
        }
    }

    static void resumes(String protocol) throws Exception {
        String topic = filled("resumes-" + protocol, 100);
        for (int from : new int[] {0, 40}) {
            try (var c = consumer("resumes-" + protocol, "group.protocol", protocol, "max.poll.records", 10)) {
                c.subscribe(List.of(topic));
                Compat.equal("" + from, take(c, 40).get(0));
                c.commitSync();
            }
        }
    }

    static void pattern(String protocol) throws Exception {
        filled("pattern-" + protocol + "-a", 5);
        filled("pattern-" + protocol + "-b", 5);
        filled("other-" + protocol, 5);
        try (var c = consumer("pattern-" + protocol, "group.protocol", protocol)) {
            c.subscribe(Pattern.compile("pattern-" + protocol + "-.*"));
            take(c, 10);
            Compat.equal(2, c.assignment().size());
        }
    }

    static void commitSync() throws Exception {
        var tp = new TopicPartition(filled("commit-sync", 20), 0);
        try (var c = consumer("commit-sync")) {
            c.subscribe(List.of(tp.topic()));
            take(c, 20);
            Compat.equal(null, c.committed(Set.of(tp)).get(tp));
            c.commitSync();
            Compat.equal(20L, c.committed(Set.of(tp)).get(tp).offset());
            c.commitSync(Map.of(tp, new OffsetAndMetadata(7)));
            Compat.equal(7L, c.committed(Set.of(tp)).get(tp).offset());
        }
    }

    static void commitAsync() throws Exception {
        var tp = new TopicPartition(filled("commit-async", 20), 0);
        try (var c = consumer("commit-async")) {
            c.subscribe(List.of(tp.topic()));
            take(c, 20);
            var done = new CompletableFuture<Map<TopicPartition, OffsetAndMetadata>>();
            c.commitAsync((offsets, e) -> {
                if (e != null) {
                    done.completeExceptionally(e);
                } else {
                    done.complete(offsets);
                }
            });
            for (int i = 0; i < 100 && !done.isDone(); i++) {
                c.poll(Duration.ofMillis(50));
            }
            Compat.equal(20L, done.getNow(Map.of()).get(tp).offset());
            Compat.equal(20L, c.committed(Set.of(tp)).get(tp).offset());
        }
    }

    static void commitMetadata() throws Exception {
        var tp = new TopicPartition(filled("commit-metadata", 1), 0);
        try (var c = consumer("commit-metadata")) {
            c.assign(List.of(tp));
            c.commitSync(Map.of(tp, new OffsetAndMetadata(1, java.util.Optional.of(0), "a note: ü")));
            var got = c.committed(Set.of(tp)).get(tp);
            Compat.equal("a note: ü", got.metadata());
            Compat.equal(java.util.Optional.of(0), got.leaderEpoch());
        }
    }

    static void commitAuto() throws Exception {
        var tp = new TopicPartition(filled("commit-auto", 10), 0);
        try (var c = consumer("commit-auto", "enable.auto.commit", true, "auto.commit.interval.ms", 60_000)) {
            c.subscribe(List.of(tp.topic()));
            take(c, 10);
        }
        try (var c = consumer("commit-auto")) {
            Compat.equal(10L, c.committed(Set.of(tp)).get(tp).offset());
        }
    }

    static void seek() throws Exception {
        var tp = new TopicPartition(filled("seek", 100), 0);
        try (var c = consumer("seek", "max.poll.records", 5)) {
            c.assign(List.of(tp));
            c.seek(tp, 42);
            Compat.equal("42", take(c, 5).get(0));
            c.seekToBeginning(List.of(tp));
            Compat.equal("0", take(c, 5).get(0));
            c.seekToEnd(List.of(tp));
            Compat.equal(100L, c.position(tp));
            c.seek(tp, 99);
            Compat.equal(List.of("99"), take(c, 1));
        }
    }

    static void offsetsForTimes() throws Exception {
        String topic = Compat.topic("for-times", 1);
        var tp = new TopicPartition(topic, 0);
        try (var p = Producing.producer()) {
            for (int i = 0; i < 10; i++) {
                p.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i * 1000, null, Producing.bytes("" + i))).get();
            }
        }
        try (var c = consumer("for-times")) {
            OffsetAndTimestamp at = c.offsetsForTimes(Map.of(tp, 1_700_000_003_500L)).get(tp);
            Compat.equal(4L, at.offset());
            Compat.equal(1_700_000_004_000L, at.timestamp());
            Compat.equal(0L, c.offsetsForTimes(Map.of(tp, 0L)).get(tp).offset());
            Compat.equal(null, c.offsetsForTimes(Map.of(tp, 1_800_000_000_000L)).get(tp));
        }
    }

    static void beginAndEnd() throws Exception {
        var tp = new TopicPartition(filled("begin-end", 30), 0);
        try (var c = consumer("begin-end")) {
            Compat.equal(0L, c.beginningOffsets(List.of(tp)).get(tp));
            Compat.equal(30L, c.endOffsets(List.of(tp)).get(tp));
        }
    }

    static void reset(String policy, long position) throws Exception {
        var tp = new TopicPartition(filled("reset-" + policy.replace(':', '-'), 10), 0);
        try (var c = consumer("reset", "auto.offset.reset", policy)) {
            c.assign(List.of(tp));
            Compat.equal(position, c.position(tp));
        }
    }

    static void resetNone() throws Exception {
        var tp = new TopicPartition(filled("reset-none", 10), 0);
        try (var c = consumer("reset-none", "auto.offset.reset", "none")) {
            c.assign(List.of(tp));
            Compat.refused(NoOffsetForPartitionException.class, () -> c.poll(Duration.ofSeconds(5)));
        }
    }

    static void outOfRange() throws Exception {
        var tp = new TopicPartition(filled("out-of-range", 10), 0);
        try (var c = consumer("out-of-range")) {
            c.assign(List.of(tp));
            c.seek(tp, 1000);
            Compat.equal("0", take(c, 10).get(0));
        }
    }

    static void pauseResume() throws Exception {
        String topic = Compat.topic("pause", 2);
        Producing.fill(topic, 0, 10);
        Producing.fill(topic, 1, 10);
        var paused = new TopicPartition(topic, 0);
        try (var c = consumer("pause")) {
            c.assign(List.of(paused, new TopicPartition(topic, 1)));
            c.pause(List.of(paused));
            take(c, 10);
            Compat.equal(0L, c.position(paused));
            Compat.equal(0, c.poll(Duration.ofMillis(300)).count());
            c.resume(List.of(paused));
            take(c, 10);
            Compat.equal(10L, c.position(paused));
        }
    }

    static void maxPollRecords() throws Exception {
        String topic = filled("max-poll", 50);
        try (var c = consumer("max-poll", "max.poll.records", 7)) {
            c.subscribe(List.of(topic));
            int seen = 0;
            for (int i = 0; i < 100 && seen < 50; i++) {
                int n = c.poll(Duration.ofMillis(500)).count();
                Compat.that(n <= 7, n + " records at once");
                seen += n;
            }
            Compat.equal(50, seen);
        }
    }

    static void positionAndLag() throws Exception {
        var tp = new TopicPartition(filled("lag", 25), 0);
        try (var c = consumer("lag", "max.poll.records", 5)) {
            c.assign(List.of(tp));
            take(c, 5);
            Compat.equal(5L, c.position(tp));
            Compat.equal(20L, c.currentLag(tp).getAsLong());
        }
    }

    /** A fetch that waits is answered as soon as there is something, not when its time is over. */
    static void longPoll() throws Exception {
        String topic = Compat.topic("long-poll", 1);
        var tp = new TopicPartition(topic, 0);
        try (var c = consumer("long-poll", "fetch.max.wait.ms", 20_000, "request.timeout.ms", 40_000); var p = Producing.producer()) {
            c.assign(List.of(tp));
            Compat.equal(0, c.poll(Duration.ofMillis(500)).count());
            long sent = System.nanoTime();
            p.send(new ProducerRecord<>(topic, Producing.bytes("now"))).get();
            var got = c.poll(Duration.ofSeconds(15));
            Compat.equal(1, got.count());
            Compat.equal("now", got.iterator().next().value());
            Compat.that(System.nanoTime() - sent < 10_000_000_000L, "the fetch waited");
        }
    }


    private Consuming() {}
}
