import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { openContext } from './batches.ts';
import { envelopes, hecOptions, hecToken, ok } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';

const { signal } = new AbortController();
const invalidToken = { status: 403, body: { text: 'Invalid token', code: 4 } };
const queued = { status: 200, body: { text: 'Success', code: 0, ackId: 0 } };

it('proves token, index and acknowledgement of HEC with a marked test event', async () => {
  await using hec = await openReceiver(({ path, headers }) => {
    if (headers.authorization !== `Splunk ${hecToken}`) return invalidToken;
    return path.endsWith('/ack') ? { status: 200, body: { acks: { 0: true } } } : queued;
  });
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
  await using hec = await openReceiver(({ headers }) => (headers.authorization === `Splunk ${hecToken}` ? ok : invalidToken));
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

it.each([
  ['accepted where they are asked for', true, { bearer: 'tok-1' }, 'credentials accepted'],
  ['not checked', false, { bearer: 'tok-1' }, 'the same answer comes without credentials: none are checked'],
  ['not configured', false, undefined, 'no credentials are configured, and none were asked for'],
])('says of the credentials of OTLP that they are %s, with empty exports', async (_, asks, auth, says) => {
  await using receiver = await openReceiver(({ headers }) => ({
    status: asks && headers.authorization !== 'Bearer tok-1' ? 401 : 200,
    body: {},
  }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'otlp', auth }), context);

  expect(await sink.probe(signal)).toEqual({ ok: true, findings: [`${receiver.url} reached`, says] });
  expect(new Set(receiver.seen.map(({ path, text }) => `${path} ${text}`))).toEqual(new Set(['/v1/logs {"resourceLogs":[]}']));
});

it('says of a HEC receiver that takes any token that it checks none', async () => {
  await using hec = await openReceiver(({ text }) => (text === '' ? { status: 400, body: { text: 'No data', code: 5 } } : ok));
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  const { findings } = await sink.probe(signal);

  expect(findings).toContain(`${hec.url}: a wrong token is taken as well: none is checked`);
  expect(findings).not.toContain(`${hec.url}: token accepted`);
});

it('sends a HEC test event as large as the largest event, and says what to raise where it is refused', async () => {
  const most = 30_000;
  await using hec = await openReceiver(({ text }) => (text.length > most ? { status: 413, body: 'too large' } : ok));
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(hec.url), context);

  const fits = await sink.probe(signal, most);
  const isLarger = await sink.probe(signal, most + 1);

  expect(hec.seen.map(({ text }) => text.length)).toEqual([most, 0, most + 1]);
  expect(fits.findings).toContain(
    `${hec.url}: the token's default index accepted a test event of 30000 bytes (sourcetype penstock:check)`,
  );
  expect([fits.ok, isLarger.ok]).toEqual([true, false]);
  expect(isLarger.fix).toContain('the body limit of a proxy');
});

const places = [
  ['elasticsearch', { preset: 'elasticsearch', index: 'audit' }, 'GET /audit ', 'index "audit"'],
  [
    'sentinel',
    { preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-A' },
    'POST /dataCollectionRules/dcr-1/streams/Custom-A?api-version=2023-01-01 []',
    'stream "Custom-A" of rule "dcr-1"',
  ],
  [
    'google_secops',
    { preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 'OCSF' },
    'POST /v1alpha/projects/p/locations/eu/instances/i/logTypes/OCSF/logs:import {"inlineSource":{"logs":[]}}',
    'log type "OCSF"',
  ],
] as const;

it.each(places)('%s: asks for the place of the events without delivering one', async (name, options, request, place) => {
  let answer = { status: 200, body: {} };
  await using receiver = await openReceiver(() => answer);
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, options), context);

  const there = await sink.probe(signal);
  answer = { status: 404, body: { error: 'not found' } };
  const missing = await sink.probe(signal);

  expect(receiver.seen.map(({ method, path, text }) => `${method} ${path} ${text}`)).toEqual([request, request]);
  expect(there.findings).toContain(`${place} is there`);
  // The first batch makes an index, where the cluster lets it.
  expect(missing.ok).toBe(name === 'elasticsearch');
  expect(missing.findings.join()).toContain(name === 'elasticsearch' ? `${place} does not exist yet` : `${place} is not there`);
});

it('elasticsearch: credentials that may only write are no fault', async () => {
  await using receiver = await openReceiver(() => ({ status: 403, body: { error: 'view_index_metadata' } }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'elasticsearch', index: 'audit' }), context);

  expect(await sink.probe(signal)).toEqual({
    ok: true,
    findings: [`${receiver.url} reached`, 'a GET is answered with 403; only the first batch proves more'],
  });
});

it.each([
  ...places.map(([name, options]) => [name, options] as const),
  ['datadog', { preset: 'datadog' }] as const,
  ['otlp', { preset: 'otlp' }] as const,
])('%s: tries a request as large as the largest event, which delivers nothing, and says what to raise', async (_, options) => {
  const most = 40_000;
  await using receiver = await openReceiver(({ bytes }) =>
    bytes.length > most ? { status: 413, body: '<html><title>413 Request Entity Too Large' } : { status: 200, body: {} },
  );
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { ...options, compression: 'none' }), context);

  const fits = await sink.probe(signal, most);
  const sent = receiver.seen.filter(({ bytes }) => bytes.length === most);
  const isLarger = await sink.probe(signal, most + 1);

  expect([fits.ok, isLarger.ok, isLarger.fix]).toEqual([
    true,
    false,
    'let the receiver, and what is before it, take requests of 40001 bytes and more',
  ]);
  expect(fits.findings).toContain('a request of 40000 bytes, as large as the largest event, gets through');
  expect(sent.map(({ text }) => text.trim().length < 50)).toEqual([true]);
});

it.each([
  [{ headers: { 'X-Api-Key': 'k' } }, ''],
  [{ signature: { standard_webhooks: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] } }, ''],
  [{ headers: { 'X-Team': 'soc' } }, 'no credentials are configured, and none were asked for'],
])('says nothing of credentials where they may stand elsewhere: %j', async (options, said) => {
  await using receiver = await openReceiver(() => ({ status: 200, body: {} }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'otlp', ...options }), context);

  const { findings } = await sink.probe(signal);

  expect(findings.filter((finding) => finding.includes('credentials')).join()).toBe(said);
});
