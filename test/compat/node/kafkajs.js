// What KafkaJS is promised. node kafkajs.js BROKER
// KafkaJS itself has gzip; the other compressions need plug-ins and are left out.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const kafka = new Kafka({ clientId: 'compat', brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
const admin = kafka.admin()
let failed = 0

async function check(name, run) {
  try {
    await run()
    console.log('ok', name)
  } catch (e) {
    failed++
    console.log('FAIL', name, String(e.stack).split('\n').slice(0, 3).join(' '))
  }
}

function equal(want, got) {
  const [w, g] = [JSON.stringify(want), JSON.stringify(got)]
  if (w !== g) throw new Error(`want ${w.slice(0, 200)}, got ${g.slice(0, 200)}`)
}

async function topic(topic, numPartitions = 1, configEntries = []) {
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] })
  return topic
}

async function produce(topic, messages, options = {}, compression = CompressionTypes.None) {
  const p = kafka.producer(options)
  await p.connect()
  await p.send({ topic, messages, compression })
  await p.disconnect()
}

// Resolves with what the condition returns once it is true; every 50 ms it is asked again.
async function until(what, condition, ms = 30000) {
  for (const end = Date.now() + ms; Date.now() < end;) {
    if (await condition()) return
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('never: ' + what)
}

async function member(groupId, topic, got, options = {}) {
  const c = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 6000, maxWaitTimeInMs: 200, ...options })
  c.parts = []
  c.on(c.events.GROUP_JOIN, (e) => { c.parts = e.payload.memberAssignment[topic] || [] })
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  await c.run({ eachMessage: async ({ partition, message }) => { got.push({ partition, ...message }) } })
  return c
}

async function codec(name, type) {
  const t = await topic('js-' + name)
  const values = Array.from({ length: 300 }, (_, i) => 'value value value ' + i)
  await produce(t, values.map((value) => ({ value })), {}, type)
  const got = []
  const c = await member('js-' + name, t, got)
  await until('300 messages', () => got.length === 300)
  equal(values, got.map((m) => m.value.toString()))
  await c.disconnect()
}

async function headers() {
  const t = await topic('js-headers')
  await produce(t, [{ key: 'k', value: 'v', headers: { a: ['1', '2'], b: 'x' } }, { key: 'gone', value: null }])
  const got = []
  const c = await member('js-headers', t, got)
  await until('2 messages', () => got.length === 2)
  equal(['1', '2'], got[0].headers.a.map(String))
  equal('x', String(got[0].headers.b))
  equal(null, got[1].value)
  await c.disconnect()
}

async function idempotent() {
  const t = await topic('js-idempotent')
  const p = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await p.connect()
  for (let i = 0; i < 50; i++) await p.send({ topic: t, acks: -1, messages: [{ value: '' + i }] })
  await p.disconnect()
  equal('50', (await admin.fetchTopicOffsets(t))[0].high)
}

async function resumes() {
  const t = await topic('js-resumes')
  await produce(t, [{ value: 'a' }, { value: 'b' }])
  const first = []
  const a = await member('js-resumes', t, first)
  await until('2 messages', () => first.length === 2)
  await a.disconnect()
  await produce(t, [{ value: 'c' }])
  const second = []
  const b = await member('js-resumes', t, second)
  await until('1 message', () => second.length === 1)
  equal('c', second[0].value.toString())
  await b.disconnect()
  equal('3', (await admin.fetchOffsets({ groupId: 'js-resumes', topics: [t] }))[0].partitions[0].offset)
}

async function byTime() {
  const t = await topic('js-times')
  await produce(t, [0, 1, 2].map((i) => ({ value: '' + i, timestamp: '' + (1700000000000 + i * 1000) })))
  equal('1', (await admin.fetchTopicOffsetsByTimestamp(t, 1700000000500))[0].offset)
}

async function rebalance() {
  const t = await topic('js-two', 4)
  const got = []
  const a = await member('js-two', t, got)
  await until('all to the first', () => a.parts.length === 4)
  const b = await member('js-two', t, got)
  await until('two each', () => a.parts.length === 2 && b.parts.length === 2)
  await produce(t, Array.from({ length: 40 }, (_, i) => ({ partition: i % 4, value: '' + i })))
  await until('40 messages', () => got.length === 40)
  equal(40, new Set(got.map((m) => m.value.toString())).size)
  await b.disconnect()
  await until('all to the one left', () => a.parts.length === 4)
  await a.disconnect()
}

async function adminTopics() {
  await topic('js-admin', 2, [{ name: 'retention.ms', value: '5000' }])
  await admin.createPartitions({ topicPartitions: [{ topic: 'js-admin', count: 3 }] })
  equal(3, (await admin.fetchTopicMetadata({ topics: ['js-admin'] })).topics[0].partitions.length)
  const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name: 'js-admin', configNames: ['retention.ms'] }] })
  equal('5000', resources[0].configEntries[0].configValue)
  await admin.deleteTopics({ topics: ['js-admin'] })
  equal(false, (await admin.listTopics()).includes('js-admin'))
}

async function adminGroups() {
  equal(true, (await admin.listGroups()).groups.some((g) => g.groupId === 'js-resumes'))
  equal('Empty', (await admin.describeGroups(['js-resumes'])).groups[0].state)
  await admin.deleteGroups(['js-resumes'])
  equal(false, (await admin.listGroups()).groups.some((g) => g.groupId === 'js-resumes'))
}

async function main() {
  await admin.connect()
  await check('kafkajs-none', () => codec('none', CompressionTypes.None))
  await check('kafkajs-gzip', () => codec('gzip', CompressionTypes.GZIP))
  await check('kafkajs-headers-null', headers)
  await check('kafkajs-idempotent', idempotent)
  await check('kafkajs-resumes', resumes)
  await check('kafkajs-offsets-by-time', byTime)
  await check('kafkajs-rebalance', rebalance)
  await check('kafkajs-admin-topics', adminTopics)
  await check('kafkajs-admin-groups', adminGroups)
  await admin.disconnect()
  process.exit(failed === 0 ? 0 : 1)
}

main()
