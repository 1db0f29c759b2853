import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Apache Kafka's producer, idempotent as it is by default, and its consumer in a group, while a broker is harmed. Prints
 * what they are told, a line each, before it counts:
 *
 * <pre>
 * sent N               the sequences below N may be anywhere
 * acked SEQ OFFSET
 * saw PARTITION OFFSET VALUE
 * committed PARTITION OFFSET
 * flushed              all that was sent has been answered
 * </pre>
 *
 * A line on standard input stops the producer, its end the consumer. The arguments are the broker, the topic, its number
 * of partitions, the producer's name, the group, and what each value ends with.
 */
public final class Witness {
    private static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static volatile boolean producing = true;
    private static volatile boolean consuming = true;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        Thread producer = new Thread(() -> produce(args[0], topic, Integer.parseInt(args[2]), args[3], args[5]), "producer");
        Thread consumer = new Thread(() -> consume(args[0], topic, args[4]), "consumer");
        for (Thread t : List.of(producer, consumer)) {
            t.setUncaughtExceptionHandler((thread, e) -> {
                e.printStackTrace();
                System.exit(1);
            });
            t.start();
        }
        while (System.in.read() > '\n') {
            // The line is of no interest.
        }
        producing = false;
        producer.join();
        while (System.in.read() >= 0) {
            // Nor is what follows.
        }
        consuming = false;
        consumer.join();
    }

    private static void say(String line) {
        synchronized (out) {
            out.println(line);
            out.flush();
        }
    }

    private static void produce(String broker, String topic, int partitions, String name, String padding) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", broker, "delivery.timeout.ms", 1_800_000, "max.block.ms", 1_800_000L,
                "request.timeout.ms", 15_000, "linger.ms", 1, "retry.backoff.ms", 20L, "retry.backoff.max.ms", 50L));
        config.putAll(Map.of("reconnect.backoff.ms", 20L, "reconnect.backoff.max.ms", 50L));
        int reserved = 0;
        try (var p = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int seq = 0; producing; seq++) {
                if (seq == reserved) {
                    reserved += 100;
                    say("sent " + reserved);
                }
                int mine = seq;
                byte[] value = (name + "/" + seq + " " + padding).getBytes(StandardCharsets.UTF_8);
                p.send(new ProducerRecord<>(topic, seq % partitions, null, value), (m, e) -> {
                    if (e == null) {
                        say("acked " + mine + " " + m.offset());
                    }
                });
                if (seq % ThreadLocalRandom.current().nextInt(1, 10) == 0) {
                    pause();
                }
            }
            p.flush();
            say("flushed");
        }
    }

    private static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void consume(String broker, String topic, String group) {
        Map<String, Object> config = Map.of("bootstrap.servers", broker, "group.id", group, "enable.auto.commit", false, "auto.offset.reset", "earliest",
                "fetch.max.wait.ms", 100, "retry.backoff.ms", 20L, "reconnect.backoff.ms", 20L, "reconnect.backoff.max.ms", 50L,
                "request.timeout.ms", 180_000, "default.api.timeout.ms", 180_000);
        try (var c = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            c.subscribe(List.of(topic));
            while (consuming) {
                Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) {
                    say("saw " + r.partition() + " " + r.offset() + " " + new String(r.value(), StandardCharsets.UTF_8));
                    next.put(new TopicPartition(topic, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                if (!next.isEmpty()) {
                    commit(c, next);
                }
            }
        }
    }

    /** Commits; what cannot be committed is read again, or committed with what follows. */
    private static void commit(KafkaConsumer<byte[], byte[]> c, Map<TopicPartition, OffsetAndMetadata> next) {
        try {
            c.commitSync(next);
            next.forEach((tp, o) -> say("committed " + tp.partition() + " " + o.offset()));
        } catch (RetriableException | org.apache.kafka.clients.consumer.CommitFailedException e) {
            System.err.println(e);
        }
    }

    private Witness() {}
}
