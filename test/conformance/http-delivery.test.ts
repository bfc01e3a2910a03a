// What the HTTP sink promises and only the delivery loop can show, one test per statement.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import { records } from '../deliver/harness.ts';
import { hastyClock } from '../hasty-clock.ts';
import { makeCertificates } from '../http/certificates.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from '../sinks/delivering.ts';
import { httpOptions } from '../sinks/http-options.ts';
import { openReceiver, type Seen } from '../sinks/http-receiver.ts';
import { manualClock } from '../sinks/sink-bench.ts';

const uidsOf = ({ text }: Seen): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);
const uids = (count: number): string[] => Array.from({ length: count }, (_, at) => `e${at}`);

it('Halves of a refused batch have ids of their own; a retry has not', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4));
  await using receiver = await openReceiver((seen, count) => ({
    status: count === 1 ? 503 : uidsOf(seen).length > 2 ? 413 : 200,
  }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url), context));

  await delivering.drained();

  const sent = receiver.seen.map((seen) => [seen.headers['idempotency-key'], uidsOf(seen)]);
  const [whole, again, left, right] = sent;
  expect(sent.map(([, events]) => events)).toEqual([uids(4), uids(4), ['e0', 'e1'], ['e2', 'e3']]);
  expect(again).toEqual(whole);
  expect(new Set([whole?.[0], left?.[0], right?.[0]]).size).toBe(3);
});

it('An event that is too large for Datadog is dead-lettered here, where it shows', async () => {
  const journal = memoryJournal();
  journal.put(live, [...records('e', 1), ...records('huge', 1, { text: 'x'.repeat(1_100_000) })]);
  await using receiver = await openReceiver(() => ({ status: 202 }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url, { preset: 'datadog' }), context));

  await delivering.drained();

  expect(receiver.seen.length).toBe(1);
  expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual([['huge0', 'too_large']]);
});

it('OTLP: after a 500 no record is sent twice, and each is a dead letter', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  await using receiver = await openReceiver(() => ({ status: 500 }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url, { preset: 'otlp' }), context));

  await delivering.drained();

  expect(receiver.seen.length).toBe(1);
  expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual(uids(3).map((uid) => [uid, 'http_500']));
});

it('OTLP: a partial success is counted, not sent again', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  await using receiver = await openReceiver(() => ({ status: 200, body: { partialSuccess: { rejectedLogRecords: 1 } } }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url, { preset: 'otlp' }), context));

  await delivering.drained();

  expect(receiver.seen.length).toBe(1);
  expect(delivering.loop.status().warnings.join()).toMatch(/1/);
});

it('OTLP: a warning beside a success is shown until an answer comes without it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let warning = 'attribute limit reached';
  await using receiver = await openReceiver(() => ({ status: 200, body: { partial_success: { error_message: warning } } }));
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url, { preset: 'otlp' }), context), {
    clock: hastyClock(8),
  });

  await delivering.drained();
  const first = delivering.loop.status().warnings;
  warning = '';
  journal.put(live, records('f', 3));
  await delivering.drained();

  expect([first, delivering.loop.status().warnings]).toEqual([['the receiver warns: attribute limit reached'], []]);
});

it('After a 410 nothing is sent until an operator releases the sink', async () => {
  const { seams, advance } = manualClock();
  let isReleased = false;
  const [journal, other] = [memoryJournal(), memoryJournal()];
  for (const one of [journal, other]) one.put(live, records('e', 1));
  await using gone = await openReceiver(() => ({ status: isReleased ? 200 : 410 }));
  await using closed = await openReceiver(() => ({ status: 401 }));
  const over = { clock: seams.clock, settings: { holdProbeMs: 1000 } };
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(gone.url), context), over);
  await using probing = deliver(other, (context) => openHttp(httpOptions(closed.url), context), over);
  await until(() => [delivering, probing].every(({ loop }) => loop.status().hold !== undefined));

  // Probes of the other sink show that there was time for one here.
  await until(() => {
    // A timer that is set after the clock moved needs it to move once more.
    if (probing.loop.status().in_flight === 0) advance(3_600_000);
    return closed.seen.length > 4;
  });
  const whileHeld = gone.seen.length;
  isReleased = true;
  delivering.loop.release();
  await until(() => {
    advance(1_000);
    return journal.offsetOf(live) === 1;
  });

  expect(whileHeld).toBe(1);
});

it('A certificate file that was exchanged is read again without losing or doubling a batch', async () => {
  const certificates = makeCertificates();
  const folder = mkdtempSync(join(tmpdir(), 'penstock-ca-'));
  onTestFinished(() => {
    certificates[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const ca = join(folder, 'ca.pem');
  copyFileSync(certificates.path('other.pem'), ca);
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const tls = { key: certificates.read('localhost.key'), cert: certificates.read('localhost.pem') };
  await using receiver = await openReceiver(() => ({ status: 200 }), tls);
  await using delivering = deliver(journal, (context) => openHttp(httpOptions(receiver.url), context), { tls: { ca_file: ca } });

  await until(() => delivering.loop.status().hold !== undefined);
  const fix = delivering.loop.status().hold?.fix;
  copyFileSync(certificates.path('ca.pem'), ca);
  await delivering.drained();

  expect(fix).toContain('tls.ca_file');
  expect(receiver.seen.flatMap(uidsOf)).toEqual(uids(3));
});
