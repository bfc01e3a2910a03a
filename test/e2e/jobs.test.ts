import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isObject } from '../../src/base/json.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Job } from '../../src/journal/journal.ts';
import { itInLongTests } from '../thorough.ts';
import { missingArrivals, until, untilStatus, untilStored } from './conditions.ts';
import { command, configFile, penstock, run } from './penstock.ts';
import { type ReceivedEvent, type Receiver, startReceiver } from './receiver.ts';
import { startVendors } from './vendors.ts';

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

interface Parts {
  readonly metadata: {
    readonly uid: string;
    readonly event_code?: string;
    readonly labels?: readonly string[];
    readonly log_name: string;
  };
  readonly time: number;
}
const partsOf = ({ event }: ReceivedEvent): Parts => event as unknown as Parts;
const isReplayed = (event: ReceivedEvent): boolean => partsOf(event).metadata.labels?.includes('replayed') === true;
const codeOf = (event: ReceivedEvent): string | undefined => partsOf(event).metadata.event_code;

async function setUp(
  seed: number,
  {
    start = '15m',
    batch = { events: 50, wait: '100ms' },
    more = {},
  }: { start?: string; batch?: object; more?: Readonly<Record<string, object>> } = {},
) {
  const vendors = await startVendors(seed);
  const receiver = await startReceiver(seededRandom(seed));
  const { 'anaconda-acme': anaconda, 'studio-acme': studio } = vendors.sources;
  const file = await configFile({
    sources: { 'anaconda-acme': { ...anaconda, start }, 'studio-acme': { ...studio, start }, ...more },
    sinks: { lake: { type: 'http', url: receiver.url, batch, in_flight: 1, backoff_max: '500ms' } },
  });
  return {
    vendors,
    receiver,
    file,
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await vendors.simulator[Symbol.asyncDispose]();
    },
  };
}

async function json<T>(args: readonly string[]): Promise<T> {
  return JSON.parse((await command(args)).stdout) as T;
}

function commonest(events: readonly ReceivedEvent[]): string {
  const counts = new Map<string, number>();
  for (const event of events) counts.set(codeOf(event) ?? '', (counts.get(codeOf(event) ?? '') ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

const misspelt = [
  {
    argv: ['dead-letters', 'list', '--sink', 'lakee'],
    says: 'no sink is called "lakee"\n  fix: did you mean "lake"? use one of: lake',
  },
  { argv: ['dead-letters', 'discard', '--source', 'studio-acne', '--yes'], says: 'did you mean "studio-acme"?' },
  { argv: ['dead-letters', 'retry', '--sink', 'lakee'], says: 'did you mean "lake"?' },
  { argv: ['dead-letters', 'retry', '--sink', 'lake', '--source', 'studio-acne'], says: 'did you mean "studio-acme"?' },
  { argv: ['replay', 'lakee', '--from', '1h', '--to', '0s'], says: 'did you mean "lake"?' },
  { argv: ['replay', 'lake', '--source', 'studio-acne', '--from', '1h', '--to', '0s'], says: 'did you mean "studio-acme"?' },
  { argv: ['backfill', 'studio-acne', '--from', '1h', '--to', '0s'], says: 'did you mean "studio-acme"?' },
  { argv: ['verify', 'studio-acne', '--from', '1h', '--to', '0s'], says: 'did you mean "studio-acme"?' },
  { argv: ['import', 'studio-acne', 'x.csv'], says: 'did you mean "studio-acme"?' },
  {
    argv: ['import', 'studio-acme', 'x.csv'],
    says: 'source studio-acme: it does not read files\n  fix: collect an older range instead: penstock backfill studio-acme --from --to',
  },
  {
    argv: ['backfill', 'files', '--from', '1h', '--to', '0s'],
    says: 'source files: its records cannot be asked for by time (csv_directory)\n  fix: import the files: penstock import files FILE...',
  },
  { argv: ['verify', 'files', '--from', '1h', '--to', '0s'], says: 'fix: import the files: penstock import files FILE...' },
];

/** What commands with a misspelt name said, and what the journal has of them. */
async function misspell(file: string): Promise<{ readonly said: string[]; readonly jobs: readonly Job[] }> {
  const before = await json<Job[]>(['jobs', '--json', '-c', file]);
  const said: string[] = [];
  for (const { argv, says } of misspelt) {
    const { code, stderr } = await command([...argv, '-c', file]);
    said.push(code === 1 && stderr.includes(says) ? 'as expected' : `${argv.join(' ')}: ${code} ${stderr}`);
  }
  const after = await json<Job[]>(['jobs', '--json', '-c', file]);
  return { said, jobs: after.filter(({ id }) => !before.some((job) => job.id === id)) };
}

it('refuses misspelt names and what a source cannot do, beside the daemon and without it, and writes no job down', async () => {
  const files = {
    connector: 'astra-csv',
    options: { directory: await mkdtemp(join(tmpdir(), 'penstock-none-')), org_id: 'd04d1eb2-6a52-483e-ab16-faaad3d077a9' },
    schedule: '1h',
  };
  await using scene = await setUp(94, { more: { files } });
  const { file } = scene;
  const daemon = penstock(['run', '-c', file]);
  await untilStatus(
    file,
    'records of both vendors',
    ({ sources }) => sources.filter(({ records }) => records.new > 0).length === 2,
  );

  const beside = await misspell(file);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const without = await misspell(file);
  const none = await command(['dead-letters', 'list', '--code', 'nope', '-c', file]);

  const expected = { said: misspelt.map(() => 'as expected'), jobs: [] };
  expect([beside, without]).toEqual([expected, expected]);
  expect([none.code, none.stdout]).toEqual([0, 'No dead letters.\n']);
});

it('lists, shows, retries and discards dead letters by filter, beside the daemon and without it', async () => {
  await using scene = await setUp(91, { batch: { events: 10, wait: '100ms' } });
  const { receiver, file } = scene;
  const refused = new Set<string>();
  // Two of a hundred: a receiver that refuses some events for their content, not one that is misconfigured.
  const isBad = ({ uid }: ReceivedEvent): boolean => Number.parseInt(uid.slice(0, 4), 16) % 50 === 0;
  receiver.refuse = (events) => {
    const bad = events.filter(isBad);
    if (events.length === 1) for (const { uid } of bad) refused.add(uid);
    return bad.length > 0 ? 400 : undefined;
  };
  const daemon = penstock(['run', '-c', file]);
  await untilStatus(
    file,
    'dead letters of both sources',
    ({ sinks, sources }) =>
      sinks.every(({ dead_letters, pending }) => dead_letters > 5 && pending < 50) &&
      sources.every(({ records }) => records.new > 300),
  );
  interface Letters {
    count: number;
    letters: { id: number; source: string; code: string; record: { uid: string } }[];
  }
  interface Gone {
    letters: { id: number; uid: string; source: string; discarded_at: number; filter: unknown }[];
  }
  const list = (...filter: string[]): Promise<Letters> =>
    json(['dead-letters', 'list', '--json', '--limit', '1000', ...filter, '-c', file]);

  const all = await list();
  const ofStudio = await list('--source', 'studio-acme');
  const first = all.letters[0];
  const none = await command(['dead-letters', 'list', '--code', 'nope', '-c', file]);
  const shown = await json<Letters['letters'][number]>(['dead-letters', 'show', String(first?.id), '-c', file]);
  const timid = await command(['dead-letters', 'discard', '--source', 'studio-acme', '-c', file]);
  const discarded = await command(['dead-letters', 'discard', '--source', 'studio-acme', '--yes', '-c', file]);
  const named = await json<Gone>(['dead-letters', 'list', '--discarded', '--json', '--limit', '1000', '-c', file]);
  const retried = await command(['dead-letters', 'retry', '--sink', 'lake', '-c', file]);
  const back = await list('--source', 'anaconda-acme');
  receiver.refuse = undefined;
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const again = await command(['dead-letters', 'retry', '--sink', 'lake', '-c', file]);
  const left = await list();
  interface Accounts {
    imbalances: unknown[];
    sinks: Record<string, { discarded: number }>;
    discarded: { letters: number; source: string; filter: unknown }[];
  }
  const ledger = await json<Accounts>(['ledger', '--json', '-c', file]);
  const told = await command(['ledger', '-c', file]);

  expect(none.stdout).toMatch(/^None of \d+ dead letters is so\.\n$/);
  expect(shown).toEqual(first);
  expect(all.letters.every(({ record, code }) => refused.has(record.uid) && code !== '')).toBe(true);
  expect([timid.code, discarded.code, retried.code, again.code]).toEqual([2, 0, 0, 0]);
  expect(retried.stdout).toMatch(/\n(1 dead letter of these is|\d+ dead letters of these are) left, see dead-letters list\.\n$/);
  expect(again.stdout).toContain('No dead letter of these is left.');
  expect(back.count).toBeGreaterThanOrEqual(all.count - ofStudio.count);
  expect(left.count).toBe(0);
  const uids = new Set(receiver.received.map(({ uid }) => uid));
  expect(all.letters.filter(({ source, record }) => source !== 'studio-acme' && !uids.has(record.uid))).toEqual([]);
  expect(ledger.imbalances).toEqual([]);
  expect(ledger.sinks['lake']?.discarded).toBeGreaterThanOrEqual(ofStudio.count);
  const asked = ofStudio.letters.map(({ record }) => record.uid);
  expect(named.letters.map(({ uid }) => uid)).toEqual(expect.arrayContaining(asked));
  expect(new Set(named.letters.map(({ filter }) => JSON.stringify(filter)))).toEqual(new Set(['{"source":"studio-acme"}']));
  expect(ledger.discarded).toMatchObject([{ letters: named.letters.length, filter: { source: 'studio-acme' } }]);
  expect(told.stdout).toContain(
    `: ${named.letters.length} dead letters of studio-acme at lake were discarded, by --source studio-acme; codes http_400, event times `,
  );
});

itInLongTests('replays one source and one action of a range, labelled, with the same ids', async () => {
  await using scene = await setUp(92);
  const { vendors, receiver, file } = scene;
  const daemon = penstock(['run', '-c', file]);
  await missingArrivals(receiver, vendors);
  const range = { from: minutesAgo(8), to: minutesAgo(2) };
  const studio = receiver.received.filter(({ event }) => JSON.stringify(event).includes('studio-acme'));
  const action = commonest(studio);
  const expected = studio
    .filter((event) => codeOf(event) === action)
    .filter((event) => partsOf(event).time >= Date.parse(range.from) && partsOf(event).time <= Date.parse(range.to))
    .map(({ uid }) => uid);

  const replayed = await command([
    'replay',
    'lake',
    '--from',
    range.from,
    '--to',
    range.to,
    '--source',
    'studio-acme',
    '--action',
    action,
    '-c',
    file,
  ]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const ledger = await json<{ imbalances: unknown[]; sinks: Record<string, { replayed: number }> }>([
    'ledger',
    '--json',
    '-c',
    file,
  ]);

  // Which events of a page are sent is known only where they are read: the words must not say that all of them were.
  const words = /^replay done by the running daemon: (\d+) of \1 stored events looked through\n$/;
  expect(replayed).toMatchObject({ code: 0, stdout: expect.stringMatching(words) as string });
  expect(Number(words.exec(replayed.stdout)?.[1])).toBeGreaterThan(expected.length);
  expect(expected.length).toBeGreaterThan(0);
  expect(
    receiver.received
      .filter(isReplayed)
      .map(({ uid }) => uid)
      .toSorted(),
  ).toEqual(expected.toSorted());
  expect(ledger).toMatchObject({ imbalances: [], sinks: { lake: { replayed: expected.length } } });
});

/** Lets only so many more events through, until it is called off. */
function throttle(receiver: Receiver, events: number): () => void {
  const limit = receiver.received.length + events;
  receiver.refuse = () => (receiver.received.length >= limit ? 503 : undefined);
  return () => (receiver.refuse = undefined);
}

itInLongTests('resumes a replay that was killed in the middle, with the pages that it still needs', async () => {
  await using scene = await setUp(93, { batch: { events: 20, wait: '50ms' } });
  const { receiver, file } = scene;
  expect((await run(['run', '--once', '-c', file])).code).toBe(0);
  const before = new Set(receiver.received.map(({ uid }) => uid));
  const open = throttle(receiver, 200);

  const replay = penstock(['replay', 'lake', '--from', minutesAgo(60), '--to', minutesAgo(0), '-c', file]);
  const isHalfSettled = ({ progress }: Job): boolean => isObject(progress) && Number(progress['done']) >= 100;
  await untilStored(file, 'a replay in its middle', ({ jobs }) => jobs.some(isHalfSettled));
  replay.child.kill('SIGKILL');
  await replay.exited;
  open();
  const daemon = penstock(['run', '-c', file]);
  const done = await untilStatus(file, 'a finished replay', ({ jobs }) => jobs.some(({ state }) => state === 'done'));
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const copies = receiver.received.filter(isReplayed).map(({ uid }) => uid);

  expect([...before].filter((uid) => !copies.includes(uid))).toEqual([]);
  // It went on where it was: what was delivered and not yet settled goes out twice, not all 200.
  expect(copies.length - new Set(copies).size).toBeLessThanOrEqual(120);
  expect(done.jobs).toMatchObject([{ kind: 'replay', state: 'done', progress: { done: before.size, total: before.size } }]);
});

itInLongTests('ends a replay that is cancelled within seconds, keeps what it sent, and says so to who watches', async () => {
  await using scene = await setUp(97);
  const { vendors, receiver, file } = scene;
  const daemon = penstock(['run', '-c', file]);
  await missingArrivals(receiver, vendors);
  const open = throttle(receiver, 0);
  const replay = penstock(['replay', 'lake', '--from', minutesAgo(60), '--to', minutesAgo(0), '-c', file]);
  const { jobs } = await untilStatus(file, 'a replay that knows how much it has to do', ({ jobs }) =>
    jobs.some(({ state, progress }) => state === 'running' && isObject(progress) && 'total' in progress),
  );
  const id = String(jobs[0]?.id);

  const listed = await command(['jobs', '-c', file]);
  const cancelled = await command(['jobs', 'cancel', id, '-c', file]);
  const code = await replay.exited;
  const again = await command(['jobs', 'cancel', id, '-c', file]);
  const none = await command(['jobs', 'cancel', '99', '-c', file]);
  await daemon.said('job cancelled');
  open();
  const backfill = await command(['backfill', 'anaconda-acme', '--from', minutesAgo(3), '--to', minutesAgo(2), '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const ledger = await json<{ imbalances: unknown[] }>(['ledger', '--json', '-c', file]);
  const after = await json<Job[]>(['jobs', '--json', '-c', file]);

  expect(listed.stdout).toMatch(/replay +sink lake +running .* of \d+ stored events looked through/);
  expect(cancelled).toMatchObject({
    code: 0,
    stdout: `job ${id}, replay of sink lake, is cancelled; what it has done until now stays\n`,
  });
  expect([code, replay.stderr()]).toEqual([1, expect.stringContaining(`job ${id}: it was cancelled`)]);
  expect([again, none].map((answer) => [answer.code, answer.stderr.split('\n')[0]])).toEqual([
    [1, `penstock: job ${id}: it has ended: cancelled`],
    [1, 'penstock: there is no job 99'],
  ]);
  // What was under way when it was cancelled may arrive, and no more of it.
  expect(receiver.received.filter(isReplayed).length).toBeLessThanOrEqual(4 * 500);
  expect([backfill.code, ledger.imbalances, after.map(({ state }) => state)]).toEqual([0, [], ['cancelled', 'done']]);
});

itInLongTests('tells who watches a job that no daemon has run for a minute, and leaves the job to the next one', async () => {
  await using scene = await setUp(96);
  const { vendors, receiver, file } = scene;
  const first = penstock(['run', '-c', file]);
  await missingArrivals(receiver, vendors);
  const open = throttle(receiver, 0);

  const replay = penstock(['replay', 'lake', '--from', minutesAgo(60), '--to', minutesAgo(0), '-c', file], { haste: 20 });
  await untilStatus(file, 'a replay under way', ({ jobs }) => jobs.some(({ state }) => state === 'running'));
  first.child.kill('SIGKILL');
  const code = await replay.exited;
  open();
  const second = penstock(['run', '-c', file]);
  await untilStatus(file, 'a finished replay', ({ jobs }) => jobs.some(({ state }) => state === 'done'));
  second.child.kill('SIGTERM');
  await second.exited;

  expect(code).toBe(1);
  expect(replay.stderr()).toMatch(
    /job \d+: no daemon has run for 1m\n {2}fix: start it: penstock run; the job goes on where it was/,
  );
});

itInLongTests('backfills beside the daemon, and resumes after a kill, without a gap or a second copy', async () => {
  await using scene = await setUp(94, { start: 'now' });
  const { vendors, receiver, file } = scene;
  const range = ['--from', minutesAgo(10), '--to', minutesAgo(1)];
  const expected = vendors.simulator
    .issued('anaconda')
    .filter(
      ({ occurredAt }) => occurredAt !== null && occurredAt >= Date.now() - 9.5 * 60_000 && occurredAt <= Date.now() - 90_000,
    )
    .map(({ id }) => id);
  const arrivedIds = (): Set<string> =>
    new Set(receiver.received.map(({ event }) => String((event['metadata'] as Record<string, unknown>)['original_event_uid'])));
  const first = penstock(['run', '-c', file]);
  await first.said('penstock started');
  await untilStatus(file, 'a first poll', ({ sources }) => sources.every(({ last_success }) => last_success !== undefined));
  const open = throttle(receiver, 0);

  const command = penstock(['backfill', 'anaconda-acme', ...range, '-c', file]);
  await untilStatus(file, 'a backfill under way', ({ jobs }) => jobs.some(({ state }) => state !== 'queued'));
  first.child.kill('SIGKILL');
  await first.exited;
  open();
  const second = penstock(['run', '-c', file]);
  const code = await command.exited;
  await until('the arrival of the range', () => expected.every((id) => arrivedIds().has(id)));
  second.child.kill('SIGTERM');
  await second.exited;
  const ledger = await json<{ imbalances: unknown[] }>(['ledger', '--json', '-c', file]);

  expect(code).toBe(0);
  expect(command.stdout()).toContain('by the running daemon');
  expect(receiver.received.length - new Set(receiver.received.map(({ uid }) => uid)).size).toBeLessThanOrEqual(50);
  expect(ledger.imbalances).toEqual([]);
});

itInLongTests('does a backfill itself where no daemon runs, and leaves it to the next run when it is killed', async () => {
  await using scene = await setUp(95, { start: 'now' });
  const { receiver, file } = scene;
  expect((await run(['run', '--once', '-c', file])).code).toBe(0);
  const range = ['--from', minutesAgo(10), '--to', minutesAgo(1)];
  const open = throttle(receiver, 100);

  const killed = penstock(['backfill', 'studio-acme', ...range, '-c', file]);
  await receiver.until(() => receiver.received.length >= 100);
  killed.child.kill('SIGKILL');
  await killed.exited;
  open();
  const other = await command(['backfill', 'anaconda-acme', ...range, '-c', file]);
  const done = await json<{ jobs: { state: string }[]; sinks: { pending: number }[] }>(['status', '--json', '-c', file]);

  expect([other.code, other.stdout]).toEqual([0, expect.stringContaining('by this command')]);
  expect(done.jobs.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(done.sinks.map(({ pending }) => pending)).toEqual([0]);
});
