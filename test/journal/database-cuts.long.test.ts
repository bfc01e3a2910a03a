// A journal in PostgreSQL whose connection breaks after every so many bytes of a commit or of a settlement, in either direction: what was
// asked for is done once, whether the server had got it, had done it, or had answered.
import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import { openJournal, type Position, type StoredRecord } from '../../src/journal/index.ts';
import { checkPostgres } from '../../src/journal/postgres/check.ts';
import { untilAnswered } from '../../src/journal/until-answered.ts';
import { hasPostgres, postgresUrl, temporarySchema } from '../postgres.ts';
import { openByteProxy, type Way } from './byte-proxy.ts';
import { commitOf, letterOf, quietCommit, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const seams = systemSeams();
const perPage = 10;
/** Sources with nothing new. */
const quiet = ['beta', 'gamma', 'delta'];
const patienceMs = 60_000;

/** Cuts at both ends of what passes, and at `count` places between them. */
function places(bytes: number, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const between = Array.from({ length: count }, () => Math.floor(random.float() * bytes));
  return [...new Set([0, 1, 5, ...between, bytes - 6, bytes - 1, bytes])].filter((at) => at >= 0);
}

async function openScene() {
  const direct = (await postgresUrl()) ?? '';
  const schema = temporarySchema(direct);
  const proxy = await openByteProxy(direct);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const engine = { ...postgresEngine(proxy.url, schema), leaseMs: 60_000 };
  const journal = await openJournal({ engine, maxBytes: 2 ** 30, keepMs: 7 * 86_400_000, seams, log: silentLog() });
  await journal.register(
    ['acme', ...quiet].map((name) => source(name)),
    [sink('lake')],
  );
  let pages = 0;
  let polls = 0;
  let settled = 0;
  let letters = 0;
  // A connection whose last answer came whole may break just then.
  const answered = <T>(look: () => Promise<T>): Promise<T> => untilAnswered(look, seams, patienceMs);
  return {
    proxy,
    /** Commits one more page, with its ids and a checkpoint. */
    async append(): Promise<void> {
      pages += 1;
      const seen = Array.from({ length: perPage }, (_, index) => ({
        day: 1,
        id: (pages * 1000 + index).toString(16).padStart(32, '0'),
        fingerprint: 'ab'.repeat(8),
      }));
      const records = someRecords(perPage, { prefix: `page-${pages}-` });
      const commit = { ...commitOf('acme', records), seen, checkpoint: { name: 'live', value: pages }, attempt: randomUUID() };
      await answered(() => journal.append(commit));
    },
    /** Ends a poll of each other source that met one record, a known one. */
    async endPolls(): Promise<void> {
      polls += 1;
      const commits = quiet.map((name) => ({ ...quietCommit(name, 1), attempt: randomUUID() }));
      await Promise.all(commits.map((commit) => answered(() => journal.append(commit))));
    },
    /** Settles one record more, alone or as a dead letter. */
    async settle(refused: boolean): Promise<void> {
      settled += 1;
      const attempt = randomUUID();
      const upTo = settled as Position;
      const refusals = refused ? [letterOf(someRecords(1)[0] as StoredRecord, { source: 'acme' })] : [];
      letters += refusals.length;
      const counts = { acknowledged: 1 - refusals.length };
      const lane = { kind: 'live', source: 'acme' } as const;
      await answered(() => journal.settle('lake', lane, upTo, refusals, counts, [], attempt));
    },
    /** What was asked for is there, once. */
    async expectWhole(): Promise<void> {
      const [lane] = await answered(() => journal.lanes('lake'));
      const { sources, rows } = await answered(() => journal.ledger());
      const lettersThere = await answered(() => journal.countDeadLetters({}));
      const checkpoint = await answered(() => journal.checkpoint('acme', 'live'));
      expect(lane).toMatchObject({ offset: settled, pending: pages * perPage - settled });
      expect(sources['acme']).toMatchObject({ new: pages * perPage });
      expect(quiet.map((name) => sources[name]?.duplicate)).toEqual(quiet.map(() => polls));
      expect([checkpoint, lettersThere]).toEqual([pages, letters]);
      expect(rows.every(isBalanced)).toBe(true);
      await journal[Symbol.asyncDispose]();
      expect((await checkPostgres({ ...engine, url: direct })).problems).toEqual([]);
    },
  };
}

it.runIf(hasPostgres())('does once what it was asked for, wherever the connection breaks', async () => {
  const scene = await openScene();
  const { proxy } = scene;
  const asked = [() => scene.append(), () => scene.settle(false), () => scene.settle(true), () => scene.endPolls()];
  let asks = 0;
  // What these need the first time only.
  for (let page = 0; page < 40; page += 1) await scene.append();
  for (const ask of asked) await ask();

  for (const [index, ask] of asked.entries()) {
    proxy.count();
    await ask();
    const whole = { ...proxy.passed };
    for (const way of ['up', 'down'] as const satisfies Way[])
      for (const at of places(whole[way], 40, index)) {
        proxy.cutAfter(way, at);
        await ask();
        asks += 1;
      }
  }

  // What passes differs: a cut far behind may come too late, and is not to meet what looks now.
  proxy.count();
  expect(proxy.cuts).toBeGreaterThan(asks / 2);
  await scene.expectWhole();
});
