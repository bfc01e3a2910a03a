// How events are written for HEC and sent to it, one test per statement.
import { createSecureServer } from 'node:http2';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSchema } from '../../src/base/schema.ts';
import type { Format } from '../../src/event/event.ts';
import { joined } from '../../src/sinks/encoded.ts';
import { hecTime } from '../../src/sinks/splunk-hec/encode.ts';
import { openSplunkHec, splunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { type Certificates, makeCertificates } from '../http/certificates.ts';
import { listen } from '../http/servers.ts';
import { batchOf, numbered, openContext, outgoing } from '../sinks/batches.ts';
import { envelopes, hecOptions, hecToken, ok } from '../sinks/hec.ts';
import { openReceiver } from '../sinks/http-receiver.ts';
import { manualClock } from '../sinks/sink-bench.ts';

const { signal } = new AbortController();
const names = fc.string({ minLength: 1, maxLength: 40 });
const bodies = fc.oneof(
  fc.record({
    format: fc.constantFrom<Format>('ocsf', 'cim', 'ecs'),
    body: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
  }),
  fc.record({
    format: fc.constantFrom<Format>('cef', 'leef', 'raw'),
    body: fc.string({ unit: 'binary' }).map((text) => text.replace(/[\r\n]/g, ' ')),
  }),
);

/** Envelopes of random events, as HEC would parse them. */
async function propertyOfEnvelopes(holds: (envelope: Record<string, unknown>, body: string, uid: string) => void): Promise<void> {
  await using context = await openContext();
  fc.assert(
    fc.property(bodies, names, names, names, fc.option(names), ({ format, body }, source, table, uid, index) => {
      const options = hecOptions('http://127.0.0.1:1', index === null ? {} : { index });
      const sink = openSplunkHec(options, { ...context, format });
      const [envelope, ...more] = envelopes(joined(sink.encode(outgoing(uid, { source, table, body }))));

      expect(more).toEqual([]);
      holds(envelope ?? {}, body, uid);
    }),
  );
}

it('An envelope contains only the seven keys that HEC knows', async () => {
  await propertyOfEnvelopes((envelope) => {
    const known = ['time', 'host', 'source', 'sourcetype', 'index', 'event', 'fields'];

    expect(Object.keys(envelope).filter((key) => !known.includes(key))).toEqual([]);
  });
});

it('time is in seconds with exactly three decimals', () => {
  expect(hecTime(1_795_254_300_123)).toBe('1795254300.123');
  expect(hecTime(1_795_254_300_000)).toBe('1795254300.000');
  expect(hecTime(7)).toBe('0.007');
  fc.assert(
    fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
      const [, sign, seconds, decimals] = /^(-?)(\d+)\.(\d{3})$/.exec(hecTime(ms)) ?? [];

      expect(Number(`${sign}${seconds}${decimals}`) + 0).toBe(ms + 0);
    }),
  );
});

it('Every value of fields is a string', async () => {
  await propertyOfEnvelopes((envelope, _, uid) => expect(envelope['fields']).toEqual({ penstock_id: uid }));
});

it('event is never null, false, blank or absent', async () => {
  await propertyOfEnvelopes((envelope) => {
    const { event } = envelope;

    expect(typeof event === 'string' ? event.trim() !== '' : typeof event === 'object' && event !== null).toBe(true);
  });
  await using context = await openContext({ format: 'raw' });
  const sink = openSplunkHec(hecOptions('http://127.0.0.1:1'), context);
  expect(envelopes(joined(sink.encode(outgoing('e0', { body: ' ' }))))[0]?.['event']).toEqual({ raw_data: ' ' });
});

it('Every envelope of a batch carries its own metadata', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { index: 'audit' }), context);

  await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1', { source: 'studio-acme', table: 'studio' })]), signal);

  expect(
    envelopes(hec.seen[0]?.text ?? '').map(({ source, sourcetype, host, index }) => [source, sourcetype, host, index]),
  ).toEqual([
    ['penstock:anaconda-acme', 'penstock:anaconda', 'collector-1', 'audit'],
    ['penstock:studio-acme', 'penstock:studio', 'collector-1', 'audit'],
  ]);
});

it('A batch is concatenated JSON, not an array', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  await sink.send(batchOf(sink, numbered(3)), signal);

  const text = hec.seen[0]?.text ?? '';
  expect(text.startsWith('{')).toBe(true);
  expect(envelopes(text).map(({ fields }) => fields)).toEqual(['e0', 'e1', 'e2'].map((uid) => ({ penstock_id: uid })));
});

it('The uncompressed body is exactly the bytes of its encoded events', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);
  const batch = batchOf(sink, [...numbered(40), outgoing('wide', { body: '{"name":"日本語 😀"}' })]);

  await sink.send(batch, signal);

  const counted = batch.encoded.texts().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(Buffer.byteLength(hec.seen[0]?.text ?? '')).toBe(counted);
});

it('An event above max_event_bytes is told to the loop before it is sent', async () => {
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions('http://127.0.0.1:1'), context);
  const huge = joined(sink.encode(outgoing('e0', { body: JSON.stringify({ text: 'x'.repeat(6_000_000) }) })));

  expect(sink.maxEventBytes).toBe(5_000_000);
  expect(Buffer.byteLength(huge) > sink.maxEventBytes).toBe(true);
});

it('gzip is named in Content-Encoding and round-trips; deflate and zstd cannot be configured', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);
  const batch = batchOf(sink, numbered(2));
  const validate = compileSchema(splunkHec.options);

  await sink.send(batch, signal);

  expect(hec.seen[0]?.headers['content-encoding']).toBe('gzip');
  expect(hec.seen[0]?.text).toBe(batch.encoded.texts().join(''));
  const accepted = ['gzip', 'none', 'deflate', 'zstd'].filter((compression) =>
    validate({ endpoints: [hec.url], token: 't', compression }),
  );
  expect(accepted).toEqual(['gzip', 'none']);
});

it('The token stands in the Authorization header and nowhere else', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { acknowledge: 'auto' }), context);

  await sink.send(batchOf(sink, numbered(1)), signal);

  const { authorization, ...others } = hec.seen[0]?.headers ?? {};
  expect(authorization).toBe(`Splunk ${hecToken}`);
  expect(JSON.stringify([hec.seen[0]?.path, others, hec.seen[0]?.text])).not.toContain(hecToken);
  expect(splunkHec.check?.({ ...hecOptions(`${hec.url}/?token=${hecToken}`) })).toEqual([
    ['endpoints.0', 'credentials do not belong into the URL', `write ${hec.url} and put the token into "token"`],
  ]);
});

it('A redirect is not followed and holds', async () => {
  await using elsewhere = await openReceiver(() => ok);
  await using hec = await openReceiver(() => ({
    status: 302,
    headers: { location: `${elsewhere.url}/services/collector/event` },
  }));
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  const result = await sink.send(batchOf(sink, numbered(1)), signal);

  expect(result).toMatchObject({
    all: { kind: 'hold', reason: expect.stringContaining(`, a redirect to ${elsewhere.url};`) },
  });
  expect(elsewhere.seen).toEqual([]);
});

describe('with certificates', () => {
  let certificates: Certificates;
  beforeAll(() => {
    certificates = makeCertificates();
  });
  afterAll(() => certificates[Symbol.dispose]());

  it('A certificate of an unknown authority holds, and the fix names the setting', async () => {
    const tls = { key: certificates.read('localhost.key'), cert: certificates.read('localhost.pem') };
    await using hec = await openReceiver(() => ok, tls);
    await using context = await openContext();
    await using trusting = await openContext({}, { tls: { ca_file: certificates.path('ca.pem') } });
    await using sink = openSplunkHec(hecOptions(hec.url), context);
    await using known = openSplunkHec(hecOptions(hec.url), trusting);
    const batch = batchOf(sink, numbered(1));

    const refused = await sink.send(batch, signal);
    const accepted = await known.send(batch, signal);

    expect(refused).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('tls.ca_file') } });
    expect(accepted).toEqual({ all: { kind: 'accept' } });
  });

  it('Requests carry a User-Agent and stay with HTTP/1.1 where HTTP/2 is offered', async () => {
    const seen: unknown[] = [];
    const tls = { key: certificates.read('localhost.key'), cert: certificates.read('localhost.pem'), allowHTTP1: true };
    const server = createSecureServer(tls, (request, response) => {
      seen.push([request.httpVersion, request.headers['user-agent']]);
      request.resume();
      response.end(JSON.stringify(ok.body));
    });
    await using listening = await listen(server);
    await using context = await openContext({}, { tls: { ca_file: certificates.path('ca.pem') } });
    await using sink = openSplunkHec(hecOptions(`https://127.0.0.1:${listening.port}`), context);

    const result = await sink.send(batchOf(sink, numbered(1)), signal);

    expect(result).toEqual({ all: { kind: 'accept' } });
    expect(seen).toEqual([['1.1', 'penstock-test/1']]);
  });
});

it('A receiver that stalls after its headers is given up as uncertain', async () => {
  const { seams, advance } = manualClock();
  const timeoutMs = 30_000;
  await using hec = await openReceiver(() => (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '40' });
    // Its time is over once the request is there, however long that took: it was sent then.
    response.write('{"text":', () => advance(timeoutMs));
  });
  await using context = await openContext({ timeoutMs, seams });
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  await expect(sink.send(batchOf(sink, numbered(1)), signal)).resolves.toMatchObject({ all: { kind: 'uncertain' } });
});

it('An answer of 10 MB is not read to its end', async () => {
  let written = 0;
  await using hec = await openReceiver(() => (response) => {
    response.writeHead(200);
    const write = (): void => {
      while (written < 10_000_000 && !response.destroyed) {
        written += 65_536;
        if (!response.write(Buffer.alloc(65_536, 120))) return void response.once('drain', write);
      }
      response.end();
    };
    write();
  });
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  const result = await sink.send(batchOf(sink, numbered(1)), signal);

  expect(result).toMatchObject({ all: { kind: 'uncertain' } });
  expect(written).toBeLessThan(10_000_000);
});
