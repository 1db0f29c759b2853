"""What confluent-kafka (librdkafka) is promised. python librdkafka.py BROKER"""

import sys
import time

from checks import check, equal, finish, holds
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

BROKER = {"bootstrap.servers": sys.argv[1]}
admin = AdminClient(BROKER)


def topic(name, partitions=1, **config):
    for f in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        f.result(20)
    return name


def produce(name, values, partition=None, timestamps=None, headers=None, **config):
    failed = []
    p = Producer({**BROKER, **config})
    for i, v in enumerate(values):
        more = {} if partition is None else {"partition": partition}
        if timestamps:
            more["timestamp"] = timestamps[i]
        p.produce(name, v, key=str(i), headers=headers, on_delivery=lambda e, m: e and failed.append(e), **more)
        p.poll(0)
    equal(0, p.flush(30))
    equal([], failed)


def consumer(group, **config):
    return Consumer({**BROKER, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "heartbeat.interval.ms": 300, "session.timeout.ms": 6000, **config})


def take(c, n, seconds=20):
    got, end = [], time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        m = c.poll(0.2)
        if m is not None:
            holds(m.error() is None, m.error())
            got.append(m)
    equal(n, len(got))
    return got


def codec(name):
    t = topic("rdk-" + name)
    values = [f"value value value {i}".encode() for i in range(500)]
    produce(t, values, **{"compression.type": name, "linger.ms": 20})
    c = consumer("rdk-" + name)
    c.subscribe([t])
    equal(values, [m.value() for m in take(c, 500)])
    c.close()


def idempotent():
    t = topic("rdk-idempotent")
    produce(t, [str(i) for i in range(5000)], **{"enable.idempotence": True, "batch.num.messages": 50, "linger.ms": 0})
    c = consumer("rdk-idempotent")
    c.subscribe([t])
    equal([str(i).encode() for i in range(5000)], [m.value() for m in take(c, 5000)])
    c.close()


def headers():
    t = topic("rdk-headers")
    sent = [("a", b"1"), ("a", b"2"), ("null", None), ("empty", b"")]
    produce(t, [b"v", None, b""], headers=sent)
    c = consumer("rdk-headers")
    c.subscribe([t])
    got = take(c, 3)
    equal(sent, got[0].headers())
    equal([b"v", None, b""], [m.value() for m in got])
    c.close()


def resumes():
    t = topic("rdk-resumes")
    produce(t, [str(i) for i in range(20)])
    for first in (0, 10):
        c = consumer("rdk-resumes")
        c.subscribe([t])
        got = take(c, 10)
        equal(str(first).encode(), got[0].value())
        c.commit(message=got[-1], asynchronous=False)
        c.close()


def by_time():
    t = topic("rdk-times")
    produce(t, ["a", "b", "c"], timestamps=[1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000])
    c = consumer("rdk-times")
    equal(1, c.offsets_for_times([TopicPartition(t, 0, 1_700_000_000_500)], timeout=10)[0].offset)
    equal((0, 3), c.get_watermark_offsets(TopicPartition(t, 0), timeout=10))
    c.close()


def rebalance(strategy):
    t = topic("rdk-two-" + strategy, 4)
    a, b = (consumer("rdk-two-" + strategy, **{"partition.assignment.strategy": strategy}) for _ in range(2))
    a.subscribe([t])
    settle([a], [4])
    b.subscribe([t])
    settle([a, b], [2, 2])
    for p in range(4):
        produce(t, ["x"] * 10, partition=p)
    seen, end = [], time.monotonic() + 20
    while len(seen) < 40 and time.monotonic() < end:
        seen += [(m.partition(), m.offset()) for m in (a.poll(0.1), b.poll(0.1)) if m is not None and m.error() is None]
    equal(40, len(seen))
    equal(40, len(set(seen)))
    b.close()
    settle([a], [4])
    a.close()


def settle(members, sizes):
    end = time.monotonic() + 30
    while [len(m.assignment()) for m in members] != sizes:
        holds(time.monotonic() < end, f"still {[len(m.assignment()) for m in members]}")
        for m in members:
            m.poll(0.05)


def admin_topics():
    topic("rdk-admin", 2, **{"retention.ms": "5000"})
    equal(2, len(admin.list_topics("rdk-admin", timeout=10).topics["rdk-admin"].partitions))
    r = ConfigResource(ConfigResource.Type.TOPIC, "rdk-admin")
    equal("5000", admin.describe_configs([r])[r].result(10)["retention.ms"].value)
    admin.create_partitions([NewPartitions("rdk-admin", 3)])["rdk-admin"].result(10)
    equal(3, len(admin.list_topics("rdk-admin", timeout=10).topics["rdk-admin"].partitions))
    admin.delete_topics(["rdk-admin"])["rdk-admin"].result(10)
    holds("rdk-admin" not in admin.list_topics(timeout=10).topics, "still there")
    try:
        topic("bad/name")
    except KafkaException as e:
        equal("TOPIC_EXCEPTION", e.args[0].name())
    else:
        holds(False, "a bad name was taken")


def admin_groups():
    groups = {g.group_id: g for g in admin.list_consumer_groups().result(10).valid}
    holds("rdk-resumes" in groups, sorted(groups))
    equal("EMPTY", admin.describe_consumer_groups(["rdk-resumes"])["rdk-resumes"].result(10).state.name)
    admin.delete_consumer_groups(["rdk-resumes"])["rdk-resumes"].result(10)
    holds("rdk-resumes" not in {g.group_id for g in admin.list_consumer_groups().result(10).valid}, "still there")


for name in ("none", "gzip", "snappy", "lz4", "zstd"):
    check("librdkafka-" + name, lambda: codec(name))
check("librdkafka-idempotent", idempotent)
check("librdkafka-headers-null-empty", headers)
check("librdkafka-resumes", resumes)
check("librdkafka-offsets-by-time", by_time)
for strategy in ("range", "cooperative-sticky"):
    check("librdkafka-rebalance-" + strategy, lambda: rebalance(strategy))
check("librdkafka-admin-topics", admin_topics)
check("librdkafka-admin-groups", admin_groups)
finish()
