// What is the same for every event of a sink holds with the first batches, also where only three events exist, and makes no dead letter.
import { expect, it } from 'vitest';
import { namesDestination, wordsOfEvents } from '../../src/sinks/exchange.ts';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { record, records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver, type Reply } from './http-receiver.ts';

type Open = (url: string, context: SinkContext) => Sink;
const hec: Open = (url, context) => openSplunkHec(hecOptions(url), context);
const http =
  (over: Partial<HttpOptions>): Open =>
  (url, context) =>
    openHttp(httpOptions(url, over), context);
const elastic = http({ preset: 'elasticsearch', index: 'audit' });
const opensearch = http({ preset: 'opensearch', index: 'audit' });
const sentinel = http({ preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-A' });
const otlp = http({ preset: 'otlp' });
const secops = http({ preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 'OCSF' });
const items = (type: string, reason: string, status = 400): Reply => {
  const item = { create: { status, error: { type, reason } } };
  return { status: 200, body: { errors: true, items: [item, item, item] } };
};
const squid =
  '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">\n<html><head><title>ERROR</title></head></html>';

/** Of items of a bulk: type, reason, status. */
const bulkWords: readonly (readonly [string, string, number])[] = [
  ['index_closed_exception', 'closed', 400],
  ['invalid_index_name_exception', 'Invalid index name [Audit], must be lowercase', 400],
  ['illegal_argument_exception', 'no matching index template found for data stream [audit]', 400],
  [
    'illegal_argument_exception',
    "alias [audit] has more than one index associated with it [a, b], can't execute a single index op",
    400,
  ],
  [
    'illegal_argument_exception',
    'cannot create index with name [audit], because it matches with template [t] that creates data streams only',
    400,
  ],
  ['illegal_argument_exception', 'pipeline with id [audit] does not exist', 400],
  [
    'illegal_argument_exception',
    'Direct writes to child streams are prohibited. Index directly into the [logs] stream instead',
    400,
  ],
  [
    'illegal_argument_exception',
    'Rejecting mapping update to [audit] as the final mapping would have more than 1 type: [_doc, x]',
    400,
  ],
  [
    'validation_exception',
    'Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;',
    400,
  ],
  ['cluster_block_exception', 'index [audit] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];', 403],
  [
    'cluster_block_exception',
    'index [audit] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];',
    429,
  ],
  ['security_exception', 'action [indices:data/write/bulk[s]] is unauthorized for user [penstock] on indices [audit]', 403],
];
const words: readonly (readonly [number, string | object])[] = [
  // Azure: Data Explorer, Monitor, the collector before it.
  [
    400,
    {
      error: {
        code: 'BadRequest_EntityNotFound',
        '@message': "Entity ID 'audit' of kind 'Table' was not found.",
        '@context': { timestamp: '2026-11-29T08:00:00Z' },
      },
    },
  ],
  [400, { error: { code: 'BadRequest', message: 'Streaming ingestion is not enabled for table audit' } }],
  [
    400,
    {
      error: { code: 'InvalidOutputTable', message: "Table for output stream 'Custom-A' is not available for destination 'la'." },
    },
  ],
  [400, { Error: 'InvalidLogType', Message: 'The specified log type is invalid' }],
  [400, { Error: 'InactiveCustomer', Message: 'The specified workspace was deactivated' }],
  // Loki blocks with a success of its own.
  [260, 'ingestion blocked for user security until 2027-01-01 with status code 260'],
  [400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'generic::invalid_argument: unrecognized log type' } }],
  [400, { __type: 'ResourceNotFoundException', message: 'The specified log group does not exist.' }],
  [
    400,
    { __type: 'AWS.SimpleQueueService.NonExistentQueue', message: 'The specified queue does not exist for this wsdl version.' },
  ],
  [422, 'Code: 60. DB::Exception: Table default.audit does not exist. (UNKNOWN_TABLE)'],
  [400, { error: { message: "RelationUnknown[Relation 'doc.audit' unknown]", code: 4041 } }],
  [
    400,
    {
      timestamp: '2026-11-29T08:00:00.000+00:00',
      status: 400,
      error: 'Bad Request',
      message: 'Index audit does not exist',
      path: '/v1/audit',
    },
  ],
  [400, 'Could not find the index "audit"'],
  [400, { message: 'No such repository: security' }],
  [400, { errors: [{ detail: 'Unknown organization id acme' }] }],
  [422, { error: 'bucket quota exceeded' }],
];

type Case = readonly [string, Open, Reply];
const cases: readonly Case[] = [
  ['HEC code 7', hec, { status: 400, body: { text: 'Incorrect index', code: 7, 'invalid-event-number': 0 } }],
  ['HEC code 7 without a number', hec, { status: 400, body: { text: 'Incorrect index', code: 7 } }],
  ['an XHTML page as 200 for HEC', hec, { status: 200, body: squid }],
  ['a JSON of something else as 200 for HEC', hec, { status: 200, body: { status: 'blocked by policy' } }],
  ['an empty 200 for HEC', hec, { status: 200, body: '' }],
  ['a bare heading as 400', http({}), { status: 400, body: '<!-- waf -->\n<h1>Request blocked</h1>' }],
  ['a page as 403', http({}), { status: 403, body: squid }],
  ['a page as 422', http({ body: 'json_array' }), { status: 422, body: squid }],
  ['a JSON of something else as 200 for a bulk', elastic, { status: 200, body: { message: 'blocked by policy' } }],
  ['an empty 200 for a bulk', opensearch, { status: 200, body: '' }],
  [
    'a missing index in items',
    elastic,
    items('index_not_found_exception', 'no such index [audit] and [action.auto_create_index] is [false]', 404),
  ],
  [
    'an alias without a write index',
    elastic,
    items(
      'illegal_argument_exception',
      'no write index is defined for alias [audit]. The write index may be explicitly disabled using is_write_index=false',
    ),
  ],
  [
    'a data stream that takes no such operation',
    opensearch,
    items('illegal_argument_exception', 'only write ops with an op_type of create are allowed in data streams'),
  ],
  [
    'a blocked index',
    elastic,
    items('cluster_block_exception', 'index [audit] blocked by: [FORBIDDEN/8/index write (api)];', 403),
  ],
  [
    'a read-only index',
    opensearch,
    items('cluster_block_exception', 'index [audit] blocked by: [FORBIDDEN/5/index read-only (api)];', 400),
  ],
  [
    'a missing rule',
    sentinel,
    { status: 404, body: { error: { code: 'NotFound', message: "Data collection rule with immutable Id 'dcr-1' not found." } } },
  ],
  [
    'a missing stream',
    sentinel,
    {
      status: 400,
      body: { error: { code: 'InvalidStream', message: 'The stream Custom-A was not configured in the data collection rule.' } },
    },
  ],
  [
    'a role that is missing',
    sentinel,
    {
      status: 403,
      body: {
        error: {
          code: 'OperationFailed',
          message: 'The authentication token provided does not have access to ingest data for the data collection rule.',
        },
      },
    },
  ],
  [
    'a log type that is missing',
    secops,
    { status: 404, body: { error: { status: 'NOT_FOUND', message: 'log type OCSF not found' } } },
  ],
  [
    'a log type that is invalid',
    secops,
    { status: 400, body: { error: { status: 'INVALID_ARGUMENT', message: 'invalid log type: OCSF' } } },
  ],
  ['a dataset that is missing', http({}), { status: 400, body: { message: 'dataset "audit" not found' } }],
  [
    'a bucket that is missing',
    http({}),
    { status: 400, body: '<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>' },
  ],
  ['a topic that is missing', http({}), { status: 422, body: { error_code: 40403, message: 'unknown topic audit' } }],
  ['a table that is missing', http({}), { status: 400, body: "Table 'audit' doesn't exist" }],
  // What receivers say in their own words, by what they call the place.
  ...bulkWords.map(([type, reason, status]): Case => [`bulk: ${reason}`, elastic, items(type, reason, status)]),
  ...bulkWords.map(([type, reason, status]): Case => [`bulk of OpenSearch: ${type}`, opensearch, items(type, reason, status)]),
  ...words.map(([status, body]): Case => [`${status} ${JSON.stringify(body)}`, http({}), { status, body }]),
  ...words.map(([status, body]): Case => [`OTLP: ${status} ${JSON.stringify(body)}`, otlp, { status, body }]),
  ['OTLP: 500 for a tenant that is missing', otlp, { status: 500, body: { code: 5, message: 'tenant "security" not found' } }],
];

it.each(cases)('%s', async (_, open, reply) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  await using receiver = await openReceiver(() => reply);
  await using delivery = deliver(journal, (context) => open(receiver.url, context), { settings: { holdProbeMs: 60_000 } });

  await until(() => delivery.loop.status().hold !== undefined);

  expect(journal.letters).toEqual([]);
  expect(receiver.seen.length).toBeLessThanOrEqual(4);
});

const quotes: readonly (readonly [string, Open, (text: string) => Reply])[] = [
  [
    'a receiver',
    http({ body: 'json_array' }),
    (text) => ({ status: 400, body: { message: `cannot take ${JSON.stringify(text)}` } }),
  ],
  ['OTLP', otlp, (text) => ({ status: 400, body: { message: `cannot take ${text}` } })],
  [
    'a bulk',
    elastic,
    (text) => {
      const error = { type: 'illegal_argument_exception', reason: `cannot take "${text}"` };
      const documents = text
        .trim()
        .split('\n')
        .filter((_line, at) => at % 2 === 1);
      const each = documents.map((line) => ({
        create: line.includes('no such index') ? { status: 400, error } : { status: 201 },
      }));
      return { status: 200, body: { errors: true, items: each } };
    },
  ],
];

const poisons = ['no such index [audit]: index_not_found_exception', 'relation "no such index" does not exist'];

it.each(quotes.flatMap(([name, open, refuse]) => poisons.map((poison) => [name, poison, open, refuse] as const)))(
  '%s that quotes an event whose own text is %s refuses that event alone',
  async (_, poison, open, refuse) => {
    const journal = memoryJournal();
    const texts = ['fine', poison, 'fine', 'fine'];
    journal.put(
      live,
      texts.map((text, at) => record(`e${at}`, { text })),
    );
    await using receiver = await openReceiver(({ text }) =>
      text.includes('no such index') ? refuse(text) : { status: 200, body: { errors: false, items: [] } },
    );
    await using delivery = deliver(journal, (context) => open(receiver.url, context));

    await until(() => journal.letters.length > 0);

    expect(journal.letters.map(({ record: { uid } }) => uid)).toEqual(['e1']);
    expect(delivery.loop.status().hold).toBeUndefined();
  },
);

/** What an answer says, and the text of an event that was sent. */
const quoted: readonly (readonly [string, string])[] = [
  ['cannot accept event: relation "users" does not exist', 'relation "users" does not exist'],
  ['{"error":"bad event: relation \\"users\\" does not exist"}', 'relation "users" does not exist'],
  ['{"error":"rejected: bucket caf\\u00e9 denied"}', 'bucket caf\u00e9 denied'],
  ['rejected: no such\nbucket', 'no such\nbucket'],
  // Words of the event and of the receiver in one sentence.
  ["event 'deleted bucket foo' is invalid", 'deleted bucket foo'],
  ['cannot index event: access denied for user bob', 'access denied for user bob'],
];

it.each(quoted)('%s speaks of no destination where an event says %s, and does where none says so', (answer, text) => {
  const words = [text, 'fine'].map((message) => wordsOfEvents(() => [JSON.stringify({ message })]));

  expect(words.map((sent) => namesDestination(answer, sent))).toEqual([false, true]);
});

// A member of the event that bears the name of a place.
it.each([
  'missing customer_id',
  'missing required customer_id',
  'customer_id is missing',
  'tenantId not provided',
  'missing tenantId',
  'event 3: missing tenant',
  'event 3 is missing tenant',
  'record has no index: unknown index',
  'no such index in event 7',
  'table_name must be set; table_name is missing',
  'events[2].tenant: unknown tenant',
  '$.stream is invalid',
  '/0/organization invalid',
  '{"errors":{"customer_id":["is missing"]}}',
  '{"errors":{"tenant":["is invalid"]}}',
  '{"code":"missing","path":["events",0],"message":"organization_id is missing"}',
  'line 4: missing org id',
  // Zod, Joi, Python.
  '{"issues":[{"path":["events",0,"tenant"],"message":"Invalid input"}]}',
  '"tenant" is not allowed to be empty, it is invalid',
  "'index' is missing",
  "key 'tenant' not found",
  'body/1/bucket must be string: invalid',
  'events/2/tenant is invalid',
  'record 12 lacks required field "index"',
  'field "table" is not defined in the schema of the event',
  'Validation failed: index_name not provided',
])('%s is about an event, which lacks a member of that name', (answer) => {
  expect(namesDestination(answer)).toBe(false);
});

it.each([
  'missing tenant',
  'no org id',
  'index_not_found_exception',
  'tenant_not_found',
  'unknown_topic_or_partition',
  'missing_index: unknown index',
  'InvalidCustomerId',
  'The CustomerId is invalid',
  'workspace_id "w1" does not exist',
  'dataset_id not found',
  'events not stored: unknown index audit',
  'unknown tenant',
  "tenant 'index' is not allowed",
  "'audit' is missing: no such table",
  '{"status":404,"index":"audit","error":"no such index"}',
  '{"code":7,"stream":"a","message":"stream not found"}',
  'index audit_log is missing',
  'missing table security_events',
  'Index "audit_log" is not defined',
  "Output stream 'custom_table' is not defined in the data collection rule",
  '{"requestId":null,"message":"unknown index audit"}',
  '{"title":"Unknown index","traceId":null}',
  '{"error":"unknown topic audit","topics":["audit"]}',
  '{"error":"unknown index","available_indexes":["main"]}',
  'projects/123456/topics/audit does not exist',
  'POST /api/1/streams/audit: stream not found',
  'events rejected (missing index audit)',
  'could not append rows to table audit, table not defined',
  '{"error":{"code":404,"message":"Stream audit-stream was not found"},"requestId":"a1"}',
  "Entity ID 'Audit_Log' of kind 'Table' was not found",
  'LogType OCSF_V1 is not configured for this customer',
  '{"errors":["bucket audit_logs not found"],"traceId":"4bf92f","spanId":null}',
  'index [audit_log] is missing and auto-create is off',
  'collection security_log not found (requestId=77)',
  'unknown stream "security_audit"',
  '{"workspaceId":"w1","message":"Workspace not found"}',
])('%s is about the place where all events go', (answer) => {
  expect(namesDestination(answer)).toBe(true);
});

it("finds the missing destination behind words that are an event's own", () => {
  const sent = wordsOfEvents(() => ['{"message":"no such topic a"}']);

  expect(namesDestination('event "no such topic a": no such bucket', sent)).toBe(true);
});

it('reads the events of a refused batch once, and only where the answer speaks of a destination', () => {
  let reads = 0;
  const sent = wordsOfEvents(() => {
    reads += 1;
    return ['{"message":"hello"}'];
  });
  namesDestination('too large', sent);
  const before = reads;

  namesDestination('no such index', sent);
  namesDestination('no such bucket', sent);

  expect([before, reads]).toEqual([0, 1]);
});
