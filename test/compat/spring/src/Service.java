package service;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.DltHandler;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.retry.annotation.Backoff;

/**
 * A mail service: one group sends mails, with retries and dead letters, and another one keeps a record of all of them.
 * Prints what its listeners are given, one line each: VERDICT GROUP TOPIC VALUE MILLISECONDS.
 */
@SpringBootConfiguration
@EnableAutoConfiguration
public class Service {
    public static void main(String[] args) {
        SpringApplication.run(Service.class, args);
    }

    @Bean
    Mailer mailer() {
        return new Mailer();
    }

    @Bean
    Audit audit() {
        return new Audit();
    }

    static class Mailer {
        @RetryableTopic(attempts = "5", backoff = @Backoff(delay = 1000, multiplier = 2), dltTopicSuffix = ".dlt", numPartitions = "4")
        @KafkaListener(topics = "mail", groupId = "mailer")
        void send(String mail, @Header(KafkaHeaders.RECEIVED_TOPIC) String topic) {
            boolean fails = mail.startsWith("fail-") || mail.startsWith("spring-fails-") || mail.startsWith("once-") && topic.equals("mail");
            say(fails ? "failed" : "handled", "mailer", topic, mail);
            if (fails) {
                throw new IllegalStateException("the mail server is down");
            }
        }

        @DltHandler
        void dead(String mail, @Header(KafkaHeaders.RECEIVED_TOPIC) String topic) {
            say("dead", "mailer", topic, mail);
        }
    }

    static class Audit {
        @KafkaListener(topics = "mail", groupId = "audit")
        void note(String mail) {
            say("handled", "audit", "mail", mail);
        }
    }

    static void say(String verdict, String group, String topic, String mail) {
        System.out.println(String.join(" ", verdict, group, topic, mail, "" + System.currentTimeMillis()));
    }
}
