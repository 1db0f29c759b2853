"""What kafka-python is promised. python kafka_python.py BROKER

Written in Python alone: of the compressions only gzip needs no further library."""

import sys
import threading
import time

from checks import check, equal, finish, holds
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

ADDR = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=ADDR)


def topic(name, partitions=1):
    admin.create_topics([NewTopic(name, partitions, 1)])
    return name


def produce(name, values, partition=None, timestamps=None, headers=None, **config):
    p = KafkaProducer(bootstrap_servers=ADDR, **config)
    sent = [p.send(name, v, partition=partition, headers=headers, timestamp_ms=timestamps[i] if timestamps else None)
            for i, v in enumerate(values)]
    p.flush(30)
    equal(len(values), len([f.get(10) for f in sent]))
    p.close()


def consumer(group, *topics, **config):
    return KafkaConsumer(*topics, bootstrap_servers=ADDR, group_id=group, auto_offset_reset="earliest",
                         enable_auto_commit=False, heartbeat_interval_ms=300, session_timeout_ms=6000, **config)


def take(c, n, seconds=20):
    got, end = [], time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        for records in c.poll(200).values():
            got += records
    equal(n, len(got))
    return got


def codec(name):
    t = topic("kp-" + str(name))
    values = [b"value value value %d" % i for i in range(300)]
    produce(t, values, compression_type=name, linger_ms=20)
    c = consumer("kp-" + str(name), t)
    equal(values, [r.value for r in take(c, 300)])
    c.close()


def headers():
    t = topic("kp-headers")
    sent = [("a", b"1"), ("a", b"2"), ("empty", b"")]
    produce(t, [b"v"], headers=sent)
    c = consumer("kp-headers", t)
    equal(sent, list(take(c, 1)[0].headers))
    c.close()


def idempotent():
    t = topic("kp-idempotent")
    produce(t, [b"%d" % i for i in range(1000)], enable_idempotence=True, acks="all")
    c = consumer("kp-idempotent", t)
    equal([b"%d" % i for i in range(1000)], [r.value for r in take(c, 1000)])
    c.close()


def resumes():
    tp = TopicPartition(topic("kp-resumes"), 0)
    produce(tp.topic, [b"%d" % i for i in range(20)])
    for first in (0, 10):
        c = consumer("kp-resumes", tp.topic, max_poll_records=10)
        equal(b"%d" % first, take(c, 10)[0].value)
        c.commit({tp: OffsetAndMetadata(first + 10, "", -1)})
        equal(first + 10, c.committed(tp))
        c.close()


def by_time():
    tp = TopicPartition(topic("kp-times"), 0)
    produce(tp.topic, [b"a", b"b", b"c"], partition=0, timestamps=[1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000])
    c = consumer("kp-times")
    equal(1, c.offsets_for_times({tp: 1_700_000_000_500})[tp].offset)
    equal({tp: 0}, c.beginning_offsets([tp]))
    equal({tp: 3}, c.end_offsets([tp]))
    c.close()


def rebalance():
    """Two members, each in a thread of its own: a poll returns only when the member has its partitions."""
    t = topic("kp-two", 4)
    leave = [threading.Event(), threading.Event()]
    sizes = [0, 0]

    def member(i):
        c = consumer("kp-two", t)
        while not leave[i].is_set():
            c.poll(100)
            sizes[i] = len(c.assignment())
        c.close()
        sizes[i] = 0

    def settle(want):
        end = time.monotonic() + 30
        while sizes != want:
            holds(time.monotonic() < end, f"still {sizes}")
            time.sleep(0.05)

    members = [threading.Thread(target=member, args=(i,), daemon=True) for i in range(2)]
    try:
        members[0].start()
        settle([4, 0])
        members[1].start()
        settle([2, 2])
        leave[1].set()
        settle([4, 0])
    finally:
        for i in range(2):
            leave[i].set()
            if members[i].is_alive():
                members[i].join(20)


def admin_topics():
    topic("kp-admin", 2)
    equal(2, len(admin.describe_topics(["kp-admin"])[0]["partitions"]))
    admin.delete_topics(["kp-admin"])
    holds("kp-admin" not in admin.list_topics(), "still there")


for name in (None, "gzip"):
    check(f"kafka-python-{name}", lambda: codec(name))
check("kafka-python-headers", headers)
check("kafka-python-idempotent", idempotent)
check("kafka-python-resumes", resumes)
check("kafka-python-offsets-by-time", by_time)
check("kafka-python-rebalance", rebalance)
check("kafka-python-admin-topics", admin_topics)
finish()
