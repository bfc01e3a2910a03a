// Faults in how sinks speak to receivers, in what they make of the answers, and in whom they show their credentials; each is noticed by a test.
import type { Mutant } from './mutate.ts';

/** The faults, and which test file notices each. */
export const mutantsOfSinks: readonly Mutant[] = [
  {
    name: 'a batch that has an id counts as acknowledged',
    file: 'src/sinks/splunk-hec/send.ts',
    caughtBy: 'test/conformance/hec-acknowledgement.test.ts',
    edits: [
      [
        '      return { pending: ticket.wait(answer.ackId), slower: asksSlower(answer) };',
        '      return { all: acceptance(answer) };',
      ],
    ],
  },
  {
    name: 'an id that is not indexed yet counts as indexed',
    file: 'src/sinks/splunk-hec/answer.ts',
    caughtBy: 'test/conformance/hec-acknowledgement.test.ts',
    edits: [['acks[id] === true ?', 'id in acks ?']],
  },
  {
    name: 'the number of a refused event counts from one',
    file: 'src/sinks/splunk-hec/answer.ts',
    caughtBy: 'test/conformance/hec-answers.test.ts',
    edits: [['const bad = answer.eventNumber ?? -1;', 'const bad = (answer.eventNumber ?? 0) - 1;']],
  },
  {
    name: 'what comes behind a refused event counts as stored',
    file: 'src/sinks/splunk-hec/answer.ts',
    caughtBy: 'test/conformance/hec-answers.test.ts',
    edits: [
      [
        "const after: Verdict = { kind: 'retry', reason: 'not read: an event before it in the batch was refused', retryAfterMs: 0 };",
        "const after: Verdict = { kind: 'accept' };",
      ],
    ],
  },
  {
    name: 'what comes before a refused event counts as acknowledged',
    file: 'src/sinks/splunk-hec/answer.ts',
    caughtBy: 'test/conformance/hec-answers.test.ts',
    edits: [['const before: Verdict = acknowledged', 'const before: Verdict = acknowledged && size === 0']],
  },
  {
    name: 'what waits for its acknowledgement counts as indexed when the sink closes',
    file: 'src/sinks/splunk-hec/acknowledge.ts',
    caughtBy: 'test/conformance/hec-acknowledgement.test.ts',
    edits: [["{ all: uncertain('the sink closed before the acknowledgement came') }", "{ all: { kind: 'accept' } }"]],
  },
  {
    name: 'a second batch leaves before the cookie of the first is known',
    file: 'src/sinks/splunk-hec/endpoint.ts',
    caughtBy: 'test/sinks/splunk-hec.test.ts',
    edits: [["if (current.state === 'fresh' && current.entered > 0) return false;", '']],
  },
  {
    name: 'a poll that another indexer answers changes nothing',
    file: 'src/sinks/splunk-hec/acknowledge.ts',
    caughtBy: 'test/sinks/splunk-hec.test.ts',
    edits: [['    if (!keepCookies(channel, reply.setCookie)) this.#loseStickiness(channel);\n', '']],
  },
  {
    name: 'a time of HEC loses its zeros',
    file: 'src/sinks/splunk-hec/encode.ts',
    caughtBy: 'test/conformance/hec-encoding.test.ts',
    edits: [[".padStart(3, '0')", '']],
  },
  {
    name: 'a RELP frame tells characters in place of octets',
    file: 'src/sinks/syslog/relp-session.ts',
    caughtBy: 'test/sinks/relp.test.ts',
    edits: [['${Buffer.byteLength(data)} ${data}', '${data.length} ${data}']],
  },
  {
    name: 'a batch that is sent with care has many frames under way',
    file: 'src/sinks/syslog/relp.ts',
    caughtBy: 'test/sinks/relp.test.ts',
    edits: [['batch.careful === true ? 1 : relpWindow', 'relpWindow']],
  },
  {
    name: 'a receiver that answers slowly is given up',
    file: 'src/sinks/syslog/relp.ts',
    caughtBy: 'test/sinks/relp.test.ts',
    edits: [['      stall.restart();\n', '']],
  },
  {
    name: 'what lies in our kernel counts as taken when an idle connection is closed',
    file: 'src/sinks/syslog/connection.ts',
    caughtBy: 'test/sinks/syslog-stream.test.ts',
    edits: [['const isTaken = isIdle && ((await this.#outstanding?.()) ?? 0) <= 1;', 'const isTaken = isIdle;']],
  },
  {
    name: 'a message counts as sent a minute after it was written, taken or not',
    file: 'src/sinks/syslog/replay-window.ts',
    caughtBy: 'test/sinks/syslog-stream.test.ts',
    edits: [['(entry) => entry.bytes > taken || !(', '(entry) => !(']],
  },
  {
    name: 'a few small messages push others out of the window',
    file: 'src/sinks/syslog/replay-window.ts',
    caughtBy: 'test/sinks/syslog-stream.test.ts',
    edits: [[' && bytes - entry.bytes >= this.#maxMessages * bytesPerMessage', '']],
  },
  {
    name: 'a message that is too large is written all the same',
    file: 'src/sinks/syslog/stream.ts',
    caughtBy: 'test/sinks/syslog-stream.test.ts',
    edits: [['    if (fits[index] !== true) continue;\n', '']],
  },
  {
    name: 'a syslog receiver with another certificate than the pinned one is written to',
    file: 'src/sinks/syslog/dial.ts',
    caughtBy: 'test/sinks/syslog-tls.test.ts',
    edits: [['    if (fault !== undefined) throw fault;\n', '']],
  },
  {
    name: 'datagrams before the one that found nobody count as sent',
    file: 'src/sinks/syslog/udp.ts',
    caughtBy: 'test/sinks/syslog-udp.test.ts',
    edits: [["return verdict.kind === 'sent' ? { kind: 'uncertain', reason, blameless: true } : verdict;", 'return verdict;']],
  },
  {
    name: 'a page of a proxy with a tag counts as stored',
    file: 'src/sinks/s3/upload.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['/^(?!W\\/)./', '/^./']],
  },
  {
    name: 'the end of a large object is left out',
    file: 'src/sinks/s3/upload.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['start < body.length;', 'start + partBytes <= body.length;']],
  },
  {
    name: 'an upload that is given up leaves its parts in the store',
    file: 'src/sinks/s3/upload.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['    await abandon(uploading, key, uploadId);\n    throw error;', '    throw error;']],
  },
  {
    name: 'a batch is stored when one of its objects is',
    file: 'src/sinks/s3/send.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['        else failed = worse(failed, verdict);\n', '']],
  },
  {
    name: 'two sinks write over the objects of each other',
    file: 'src/sinks/s3/send.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['[sink, source, lane, position, uid, received]', '[source, lane, position, uid, received]']],
  },
  {
    name: 'a journal that was filled anew writes over the objects of the old one',
    file: 'src/sinks/s3/send.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [['lane, position, uid, received]', 'lane, position, uid]']],
  },
  {
    name: 'an object that waits for a person is tried again with the others',
    file: 'src/sinks/s3/send.ts',
    caughtBy: 'test/sinks/s3.test.ts',
    edits: [["['hold', 'split', 'uncertain', 'retry']", "['retry', 'uncertain', 'split', 'hold']"]],
  },
  {
    name: 'a request carries no key by which its repeats are known',
    file: 'src/sinks/http/send.ts',
    caughtBy: 'test/conformance/http.test.ts',
    edits: [["      'idempotency-key': id,\n", '']],
  },
  {
    name: 'a token that is refused is renewed for ever',
    file: 'src/sinks/http/send.ts',
    caughtBy: 'test/sinks/http-auth.test.ts',
    edits: [['if (!isRefused || !again || !authorizer', 'if (!isRefused || !authorizer']],
  },
  {
    name: 'a request that the receiver may have read counts as never sent',
    file: 'src/sinks/http/answer.ts',
    caughtBy: 'test/conformance/http.test.ts',
    edits: [["{ from: 408, to: 408, means: 'uncertain' }", "{ from: 408, to: 408, means: 'retry' }"]],
  },
  {
    name: 'an event of more bytes than characters is cut at the end of its slab',
    file: 'src/sinks/encoded.ts',
    caughtBy: 'test/sinks/encoded.test.ts',
    edits: [
      [
        'if (room < length * 3) this.#makeRoom(byteLengthOf(parts), room);',
        'if (room < length * 3) this.#makeRoom(length, room);',
      ],
    ],
  },
  {
    name: 'a replay that conflicts counts as stored',
    file: 'src/sinks/http/presets/bulk.ts',
    caughtBy: 'test/conformance/http.test.ts',
    edits: [["if (status === 409 && action === 'create')", 'if (status === 409)']],
  },
  {
    name: 'an item that is refused for the rate is a dead letter',
    file: 'src/sinks/http/presets/bulk.ts',
    caughtBy: 'test/conformance/http.test.ts',
    edits: [['(status === 429 || status >= 500 || status === 409)', '(status >= 500 || status === 409)']],
  },
  {
    name: "one broker's word is enough",
    file: 'src/sinks/kafka/send.ts',
    caughtBy: 'test/sinks/kafka.test.ts',
    edits: [['acks: -1', 'acks: 1']],
  },
  {
    name: 'the record behind the refused one is a dead letter',
    file: 'src/sinks/kafka/verdicts.ts',
    caughtBy: 'test/sinks/kafka.test.ts',
    edits: [['const index = counts.get(key) ?? 0;', 'const index = (counts.get(key) ?? 0) + 1;']],
  },
  {
    name: 'records of which too few brokers have a copy count as not stored',
    file: 'src/sinks/kafka/codes.ts',
    caughtBy: 'test/sinks/kafka.test.ts',
    edits: [["  'NOT_ENOUGH_REPLICAS',\n", "  'NOT_ENOUGH_REPLICAS',\n  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',\n"]],
  },
  {
    name: 'a line counts before it is on disk',
    file: 'src/sinks/file/line-file.ts',
    caughtBy: 'test/sinks/file.test.ts',
    edits: [['        await handle.datasync();\n', '']],
  },
  {
    name: 'a line that was not written counts as safe',
    file: 'src/sinks/file/index.ts',
    caughtBy: 'test/sinks/file.test.ts',
    edits: [['(_, index) => (index < done ?', '(_, index) => (index <= done ?']],
  },
  {
    name: 'a file goes before its compressed copy is on disk',
    file: 'src/sinks/file/rotating-file.ts',
    caughtBy: 'test/sinks/file.test.ts',
    edits: [['    await target.sync();\n', '']],
  },
  {
    name: 'a pin stands for the authority that is named beside it',
    file: 'src/http/tls.ts',
    caughtBy: 'test/http/tls.test.ts',
    edits: [[' || ca !== undefined)', ')']],
  },
  {
    name: 'any proxy is shown the password, whatever its certificate',
    file: 'src/http/connect.ts',
    caughtBy: 'test/http/tls.test.ts',
    edits: [['    rejectUnauthorized: !insecure,\n', '    rejectUnauthorized: false,\n']],
  },
  {
    name: 'a date in Retry-After is counted by our clock',
    file: 'src/http/retry-after.ts',
    caughtBy: 'test/http/retry-after.test.ts',
    edits: [['const now = answeredAt(headers) ?? clock.now();', 'const now = clock.now();']],
  },
];
