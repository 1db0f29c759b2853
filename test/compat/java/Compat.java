import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

/**
 * What Apache Kafka's Java clients are promised, as checks against the broker named by the argument. Prints a line for
 * each, ok NAME or FAIL NAME why, and exits with 1 if any failed.
 */
public final class Compat {
    interface Check {
        void run() throws Exception;
    }

    private static int failed;

    static String bootstrap;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        try (Admin a = Admin.create(config())) {
            admin = a;
            Producing.checks();
            Consuming.checks();
            Rebalancing.checks();
            Administering.checks();
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    static void check(String name, Check c) {
        try {
            c.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed++;
            StackTraceElement[] at = e.getStackTrace();
            StackTraceElement ours = at.length == 0 ? null : at[0];
            for (StackTraceElement frame : at) {
                if (frame.getFileName() != null && !frame.getClassName().contains(".") && !frame.getMethodName().equals("equal")) {
                    ours = frame;
                    break;
                }
            }
            System.out.println("FAIL " + name + " " + String.valueOf(e).replace('\n', ' ') + " at " + ours);
        }
    }

    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("want " + want + ", got " + got);
        }
    }

    static void that(boolean holds, String why) {
        if (!holds) {
            throw new AssertionError(why);
        }
    }

    /** Fails unless c throws kind, itself or as the cause of an ExecutionException. */
    static void refused(Class<? extends Throwable> kind, Check c) throws Exception {
        try {
            c.run();
        } catch (Exception e) {
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            if (kind.isInstance(cause)) {
                return;
            }
            throw e;
        }
        throw new AssertionError("no " + kind.getSimpleName());
    }

    /** The clients' settings: the address, and pairs of names and values. */
    static Map<String, Object> config(Object... pairs) {
        Map<String, Object> m = new HashMap<>();
        m.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) {
            m.put((String) pairs[i], pairs[i + 1]);
        }
        return m;
    }

    static String topic(String name, int partitions) throws Exception {
        return topic(name, partitions, Map.of());
    }

    static String topic(String name, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
        while (!admin.listTopics().names().get().containsAll(Set.of(name))) {
            Thread.sleep(20);
        }
        return name;
    }

    private Compat() {}
}
