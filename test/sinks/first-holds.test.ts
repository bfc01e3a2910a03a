// What is the same for every event of a sink holds with the first batches, also where only three events exist, and makes no dead letter.
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records } from '../deliver/harness.ts';
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
const secops = http({ preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 'OCSF' });
const items = (type: string, reason: string, status = 400): Reply => {
  const item = { create: { status, error: { type, reason } } };
  return { status: 200, body: { errors: true, items: [item, item, item] } };
};
const squid =
  '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">\n<html><head><title>ERROR</title></head></html>';

const cases: readonly (readonly [string, Open, Reply])[] = [
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
