import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { openContext } from './batches.ts';
import { envelopes, hecOptions, ok } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';

const { signal } = new AbortController();
const queued = { status: 200, body: { text: 'Success', code: 0, ackId: 0 } };

it('proves token, index and acknowledgement of HEC with a marked test event', async () => {
  await using hec = await openReceiver(({ path }) =>
    path.endsWith('/ack') ? { status: 200, body: { acks: { 0: true } } } : queued,
  );
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { index: 'audit', acknowledge: 'auto' }), context);

  const report = await sink.probe(signal);

  expect(report).toEqual({
    ok: true,
    findings: [
      `${hec.url}: reached`,
      `${hec.url}: token accepted`,
      `${hec.url}: index "audit" accepted a test event (sourcetype penstock:check)`,
      `${hec.url}: indexer acknowledgement: the test event is indexed`,
    ],
  });
  expect(envelopes(hec.seen[0]?.text ?? '')).toMatchObject([
    { index: 'audit', sourcetype: 'penstock:check', event: { penstock_test: true }, fields: { penstock_id: 'penstock-check' } },
  ]);
});

it('says which index HEC refuses and where to allow it', async () => {
  await using hec = await openReceiver(() => ({
    status: 400,
    body: { text: 'Incorrect index', code: 7, 'invalid-event-number': 1 },
  }));
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { index: 'audit' }), context);

  expect(await sink.probe(signal)).toEqual({
    ok: false,
    findings: [
      `${hec.url}: reached`,
      `${hec.url}: token accepted`,
      `${hec.url}: index "audit" refused: it does not exist or the token does not allow it`,
    ],
    fix: 'create index "audit" in Splunk, or add it to the allowed indexes of the token',
  });
});

it('says that a required acknowledgement is missing', async () => {
  await using hec = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url, { acknowledge: 'require' }), context);

  expect(await sink.probe(signal)).toMatchObject({ ok: false, fix: expect.stringContaining('indexer acknowledgement') });
});

it('probes every endpoint and says which one is not there', async () => {
  await using hec = await openReceiver(() => ok);
  const gone = await openReceiver(() => ok);
  await gone[Symbol.asyncDispose]();
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions([gone.url, hec.url]), context);

  const { ok: isOk, findings } = await sink.probe(signal);

  expect(isOk).toBe(false);
  expect(findings[0]).toMatch(`${gone.url}: not reached`);
  expect(findings).toContain(`${hec.url}: token accepted`);
});

it.each([
  { status: 401, isOk: false, says: 'credentials refused' },
  { status: 405, isOk: true, says: 'answered with 405' },
])('tells what a GET of an HTTP receiver proves: $status', async ({ status, isOk, says }) => {
  await using receiver = await openReceiver(() => ({ status }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(`${receiver.url}/in`, { auth: { bearer: 'tok-1' } }), context);

  const report = await sink.probe(signal);

  expect(report.ok).toBe(isOk);
  expect(report.findings.join('\n')).toContain(says);
  expect(receiver.seen.map(({ method, text }) => [method, text])).toEqual([['GET', '']]);
});

it('proves the credentials of OTLP with an empty export', async () => {
  await using receiver = await openReceiver(() => ({ status: 200, body: {} }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'otlp' }), context);

  expect(await sink.probe(signal)).toEqual({ ok: true, findings: [`${receiver.url} reached`, 'credentials accepted'] });
  expect(receiver.seen.map(({ path, text }) => [path, text])).toEqual([['/v1/logs', '{"resourceLogs":[]}']]);
});
