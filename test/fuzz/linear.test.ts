// Any short text repeated: ten times of it cost about ten times the work. What is measured is CPU time of this thread against itself.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harmless, parseForeignJson, tame, tameJson } from '../../src/base/foreign.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { budgetNews } from '../../src/connectors/http-window/budget-news.ts';
import { nextLink } from '../../src/connectors/http-window/links.ts';
import { parseBody } from '../../src/connectors/http-window/reply.ts';
import { readFrame } from '../../src/connectors/pulsar-websocket/frame.ts';
import { compileTemplate, templateFault } from '../../src/connectors/template.ts';
import { formats } from '../../src/event/event.ts';
import { encodeBody, parseTime, redact } from '../../src/event/index.ts';
import { retryAfterMs } from '../../src/http/index.ts';
import { readAcks, readAnswer } from '../../src/sinks/splunk-hec/answer.ts';
import { createRelpParser } from '../../src/sinks/syslog/relp-session.ts';
import { skippingClock } from '../connectors/open-source.ts';
import { costLength, expectLinear, repeated } from '../cost.ts';
import { loadConnector } from '../event/load-connector.ts';
import { seed } from '../seed.ts';
import { fewOrMany } from '../thorough.ts';
import { resultOf } from './fuzz.ts';
import { soup } from './texts.ts';

const clock = skippingClock();
const connector = loadConnector('anaconda');
const secrets = createSecrets();
secrets.add('Qz7-unfindable-Wx9');
const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const tried = (read: () => unknown): unknown => resultOf(read, (error) => error instanceof Error);

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  JSON: (text) => [
    tried(() => parseForeignJson(text)),
    tried(() => parseForeignJson(`{"a":["${text}`)),
    parseBody({ status: 200, headers: {}, body: Buffer.from(`["${text}"]`) }),
  ],
  'what is redacted': (text) => [redact({ note: text }), redact({ note: `{"a":"${text}` })],
  'what is scrubbed': (text) => secrets.scrub(text),
  'what people read': (text) => [tame(text), harmless(text), tameJson(JSON.stringify(text))],
  headers: (text) => [
    nextLink(text),
    nextLink(`<a>${text}`),
    budgetNews({ ratelimit: text }, clock, { isGranted: false, isRefused: true }),
    retryAfterMs({ 'retry-after': text }, clock),
  ],
  times: (text) => [parseTime(text), parseTime(`2026-11-20 ${text}`)],
  templates: (text) => [compileTemplate(text).names.length, templateFault(text, [])],
  'frames and answers': (text) => [
    readFrame('topic', JSON.stringify({ messageId: 'a', payload: text })),
    readFrame('topic', text),
    readAnswer({ status: 400, headers: {}, body: Buffer.from(text) }, undefined),
    readAcks(Buffer.from(text)),
    tried(() => createRelpParser().push(Buffer.from(text))),
  ],
  'what is encoded': (text) => {
    const record = { ...connector.samples[0], note: text, name: text };
    const mapped = connector.mapper.map({ uid: '0123456789abcdef0123456789abcdef', received: 1, record }, page);
    return formats.map((format) => encodeBody(format, mapped, { includeRaw: true }).length);
  },
};

describe.each(Object.entries(readers))('reading %s', (_name, read) => {
  it('costs in proportion to the length, whatever is repeated', () => {
    const runs = fc.sample(
      soup.filter((text) => text !== ''),
      { numRuns: fewOrMany(2, 25), seed },
    );
    for (const run of runs) {
      try {
        expectLinear((length) => read(repeated(run, length)));
      } catch (error) {
        throw new Error(`${JSON.stringify(run)} repeated to ${costLength} characters (FUZZ_SEED=${seed})`, { cause: error });
      }
    }

    expect(runs.length).toBeGreaterThan(0);
  });
});
