import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.DescribeProducersOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The producer with its defaults: acks=all, idempotent, five requests in flight. */
final class Producing {
    static void checks() {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            Compat.check("produce-" + codec, () -> codec(codec));
        }
        for (String acks : List.of("0", "1")) {
            Compat.check("produce-acks-" + acks, () -> acks(acks));
        }
        Compat.check("produce-recompressed-by-topic", Producing::topicCodec);
        Compat.check("produce-headers", Producing::headers);
        Compat.check("produce-null-and-empty", Producing::nullAndEmpty);
        Compat.check("produce-large-batches", Producing::largeBatches);
        Compat.check("produce-five-in-flight-in-order", Producing::inFlight);
        Compat.check("produce-idempotent-state", Producing::producerState);
        Compat.check("produce-timestamps", Producing::timestamps);
        Compat.check("produce-log-append-time", Producing::logAppendTime);
        Compat.check("produce-too-large", Producing::tooLarge);
        Compat.check("produce-keys-partitions", Producing::keys);
        Compat.check("produce-unknown-partition", Producing::unknownPartition);
    }

    static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
        return new KafkaProducer<>(Compat.config(pairs), new ByteArraySerializer(), new ByteArraySerializer());
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    /** Sends n records with the values 0 to n-1 to a partition. */
    static void fill(String topic, int partition, int n) throws Exception {
        try (var p = producer()) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                sent.add(p.send(new ProducerRecord<>(topic, partition, null, bytes("" + i))));
            }
            for (var f : sent) {
                f.get();
            }
        }
    }

    /** The first n records of a topic, partition by partition. */
    static List<ConsumerRecord<byte[], byte[]>> read(String topic, int n) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        try (var c = new KafkaConsumer<>(Compat.config("isolation.level", "read_committed"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = c.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
            c.assign(all);
            c.seekToBeginning(all);
            for (int empty = 0; got.size() < n && empty < 20;) {
                var polled = c.poll(Duration.ofMillis(500));
                empty = polled.isEmpty() ? empty + 1 : 0;
                polled.forEach(got::add);
            }
        }
        Compat.equal(n, got.size());
        return got;
    }

    static void codec(String codec) throws Exception {
        String topic = Compat.topic("codec-" + codec, 1);
        try (var p = producer("compression.type", codec, "linger.ms", 50, "batch.size", 100_000)) {
            for (int i = 0; i < 500; i++) {
                p.send(new ProducerRecord<>(topic, bytes("k" + i), bytes("value value value " + i)));
            }
            p.flush();
        }
        var got = read(topic, 500);
        for (int i = 0; i < 500; i++) {
            Compat.equal((long) i, got.get(i).offset());
            Compat.equal("k" + i, new String(got.get(i).key(), StandardCharsets.UTF_8));
            Compat.equal("value value value " + i, new String(got.get(i).value(), StandardCharsets.UTF_8));
        }
    }

    static void acks(String acks) throws Exception {
        String topic = Compat.topic("acks-" + acks, 1);
        try (var p = producer("acks", acks, "enable.idempotence", false)) {
            for (int i = 0; i < 100; i++) {
                RecordMetadata m = p.send(new ProducerRecord<>(topic, bytes("" + i))).get();
                Compat.equal(!acks.equals("0"), m.hasOffset());
            }
        }
        read(topic, 100);
    }

    static void topicCodec() throws Exception {
        String topic = Compat.topic("topic-codec", 1, Map.of("compression.type", "gzip"));
        fill(topic, 0, 100);
        Compat.equal("99", new String(read(topic, 100).get(99).value(), StandardCharsets.UTF_8));
    }

    static void headers() throws Exception {
        String topic = Compat.topic("headers", 1);
        var r = new ProducerRecord<>(topic, bytes("k"), bytes("v"));
        r.headers().add("a", bytes("1")).add("a", bytes("2")).add("null", null).add("empty", new byte[0]).add("ünïcode", bytes("ß"));
        try (var p = producer()) {
            p.send(r).get();
        }
        Header[] got = read(topic, 1).get(0).headers().toArray();
        Compat.equal(List.of("a", "a", "null", "empty", "ünïcode"), Arrays.stream(got).map(Header::key).toList());
        Compat.equal("2", new String(got[1].value(), StandardCharsets.UTF_8));
        Compat.equal(null, got[2].value());
        Compat.equal(0, got[3].value().length);
    }

    static void nullAndEmpty() throws Exception {
        String topic = Compat.topic("null-empty", 1);
        try (var p = producer()) {
            p.send(new ProducerRecord<>(topic, null, null));
            p.send(new ProducerRecord<>(topic, new byte[0], new byte[0]));
            p.flush();
        }
        var got = read(topic, 2);
        Compat.equal(null, got.get(0).key());
        Compat.equal(null, got.get(0).value());
        Compat.equal(0, got.get(1).key().length);
        Compat.equal(0, got.get(1).value().length);
    }

    /** Records of up to 900 kB, which do not compress, and a reader that fetches less than one at a time. */
    static void largeBatches() throws Exception {
        String topic = Compat.topic("large", 1);
        Random random = new Random(1);
        List<byte[]> values = new ArrayList<>();
        try (var p = producer("batch.size", 1_000_000, "linger.ms", 20)) {
            for (int size : new int[] {1, 900_000, 10, 500_000, 500_000, 250_000, 0}) {
                byte[] v = new byte[size];
                random.nextBytes(v);
                values.add(v);
                p.send(new ProducerRecord<>(topic, v));
            }
            p.flush();
        }
        try (var c = new KafkaConsumer<>(Compat.config("fetch.max.bytes", 1000, "max.partition.fetch.bytes", 1000),
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var tp = new TopicPartition(topic, 0);
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            int i = 0;
            for (int empty = 0; i < values.size() && empty < 20; empty++) {
                for (var r : c.poll(Duration.ofMillis(500))) {
                    Compat.that(Arrays.equals(values.get(i), r.value()), "record " + i + " differs");
                    i++;
                    empty = 0;
                }
            }
            Compat.equal(values.size(), i);
        }
    }

    static void inFlight() throws Exception {
        String topic = Compat.topic("in-flight", 1);
        int n = 20_000;
        try (var p = producer("max.in.flight.requests.per.connection", 5, "linger.ms", 0, "batch.size", 500)) {
            for (int i = 0; i < n; i++) {
                p.send(new ProducerRecord<>(topic, bytes("" + i)));
            }
            p.flush();
        }
        var got = read(topic, n);
        for (int i = 0; i < n; i++) {
            Compat.equal("" + i, new String(got.get(i).value(), StandardCharsets.UTF_8));
        }
    }

    static void producerState() throws Exception {
        String topic = Compat.topic("producer-state", 1);
        var tp = new TopicPartition(topic, 0);
        try (var p = producer()) {
            for (int i = 0; i < 3; i++) {
                p.send(new ProducerRecord<>(topic, bytes("" + i))).get();
            }
            var state = Compat.admin.describeProducers(List.of(tp), new DescribeProducersOptions()).partitionResult(tp).get().activeProducers();
            Compat.equal(1, state.size());
            Compat.that(state.get(0).producerId() >= 0, "producer ID " + state.get(0).producerId());
            Compat.equal(0, state.get(0).producerEpoch());
            Compat.equal(2, state.get(0).lastSequence());
        }
    }

    static void timestamps() throws Exception {
        String topic = Compat.topic("timestamps", 1);
        try (var p = producer()) {
            RecordMetadata m = p.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L, null, bytes("v"))).get();
            Compat.equal(1_700_000_000_000L, m.timestamp());
        }
        var r = read(topic, 1).get(0);
        Compat.equal(1_700_000_000_000L, r.timestamp());
        Compat.equal(TimestampType.CREATE_TIME, r.timestampType());
    }

    static void logAppendTime() throws Exception {
        String topic = Compat.topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        try (var p = producer()) {
            RecordMetadata m = p.send(new ProducerRecord<>(topic, 0, 1L, null, bytes("v"))).get();
            Compat.that(m.timestamp() >= before, "timestamp " + m.timestamp());
        }
        var r = read(topic, 1).get(0);
        Compat.that(r.timestamp() >= before, "timestamp " + r.timestamp());
        Compat.equal(TimestampType.LOG_APPEND_TIME, r.timestampType());
    }

    static void tooLarge() throws Exception {
        String topic = Compat.topic("too-large", 1, Map.of("max.message.bytes", "1000"));
        try (var p = producer()) {
            Compat.refused(RecordTooLargeException.class, () -> p.send(new ProducerRecord<>(topic, new byte[2000])).get());
            Compat.equal(0L, p.send(new ProducerRecord<>(topic, new byte[500])).get().offset());
        }
    }

    static void keys() throws Exception {
        String topic = Compat.topic("keys", 6);
        try (var p = producer()) {
            for (int i = 0; i < 600; i++) {
                p.send(new ProducerRecord<>(topic, bytes("key-" + i % 60), bytes("" + i)));
            }
            p.flush();
        }
        var got = read(topic, 600);
        var home = new java.util.HashMap<String, Integer>();
        for (var r : got) {
            String key = new String(r.key(), StandardCharsets.UTF_8);
            Compat.equal(home.computeIfAbsent(key, k -> r.partition()), r.partition());
        }
        Compat.equal(60, home.size());
    }

    static void unknownPartition() throws Exception {
        String topic = Compat.topic("one-partition", 1);
        try (var p = producer("max.block.ms", 1000)) {
            Compat.refused(TimeoutException.class, () -> p.send(new ProducerRecord<>(topic, 7, null, bytes("v"))).get());
        }
    }

    private Producing() {}
}
