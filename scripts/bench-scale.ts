// What grows: a journal of very many dead letters. Each question is asked once, as an operator or a replay asks it.
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../src/base/log.ts';
import { systemSeams } from '../src/base/seams.ts';
import { openJournal } from '../src/journal/index.ts';
import type { Journal, LetterFilter, NewDeadLetter, NewPage, Position } from '../src/journal/journal.ts';

const pageRecords = 1000;
const longestTrimMs = 300_000;
const codes = ['too_large', 'event_6', 'event_12'];

const pageAt = (first: number): NewPage => ({
  lane: 'live',
  connector: { name: 'bench', hash: 'bench', text: 'bench' },
  labels: [],
  minTime: 0,
  maxTime: 0,
  records: Array.from({ length: pageRecords }, (_, index) => ({
    uid: (first + index).toString(16).padStart(32, '0'),
    received: 0,
    record: { n: first + index },
  })),
});

function lettersOf(page: NewPage, first: number): NewDeadLetter[] {
  const { connector, labels } = page;
  const times = { eventTime: first, first: 0, last: 0, attempts: 1 };
  const said = { source: 'bench', connector, tenant: undefined, labels, text: 'refused', ...times };
  return page.records.map((record, index) => ({
    ...said,
    record,
    action: `action_${(first + index) % 40}`,
    code: codes[(first + index) % codes.length] ?? '',
  }));
}

const register = (journal: Journal): Promise<unknown> =>
  journal.register(
    [{ name: 'bench', connector: 'bench', identity: {}, seenTtlMs: 1, seenPinnedMs: 1 }],
    [
      { name: 'bench', type: 'stdout', start: 'oldest', whenFull: 'wait' },
      { name: 'other', type: 'stdout', start: 'oldest', whenFull: 'wait' },
    ],
  );

async function fill(journal: Journal, letters: number): Promise<void> {
  await register(journal);
  for (let first = 0; first < letters; first += pageRecords) {
    const page = pageAt(first);
    await journal.append({ source: 'bench', page });
    const upTo = (first + pageRecords) as Position;
    await journal.settle('bench', { kind: 'live', source: 'bench' }, upTo, lettersOf(page, first), {});
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Fills a journal in `dataDir` and gives what each question took, milliseconds; a replay's read is the median of its first twenty. */
export async function measureLetters(dataDir: string, letters: number): Promise<Readonly<Record<string, number>>> {
  const seams = systemSeams();
  await using journal = await openJournal({
    engine: { kind: 'sqlite', dataDir },
    maxBytes: 2 ** 34,
    keepMs: 0,
    seams,
    log: silentLog(),
  });
  await fill(journal, letters);
  const list = (filter: LetterFilter): Promise<number> => timed(() => journal.deadLetters(filter, 50));
  const took = {
    list: await list({ sink: 'bench' }),
    'list by action': await list({ sink: 'bench', action: 'action_7' }),
    'list by action that is rare': await list({ sink: 'bench', action: 'nothing' }),
    count: await timed(() => journal.countDeadLetters({ sink: 'bench' })),
    'count by action': await timed(() => journal.countDeadLetters({ sink: 'bench', action: 'action_7' })),
  };
  return { ...took, 'read of a replay': await replayRead(journal) };
}

async function replayRead(journal: Journal): Promise<number> {
  const { id } = await journal.insertJob('replay', {});
  await journal.openReplay(id, 'bench', { kind: 'dead_letters' });
  const [state] = (await journal.lanes('bench')).filter(({ lane }) => lane.kind === 'replay');
  if (state === undefined) throw new Error('the replay has no lane');
  const reads: number[] = [];
  let after = state.offset;
  for (let read = 0; read < 20; read += 1) {
    const began = performance.now();
    const pages = await journal.read('bench', state.lane, after, 500);
    reads.push(performance.now() - began);
    after = pages.at(-1)?.positions.at(-1) ?? after;
  }
  return reads.toSorted((a, b) => a - b)[10] ?? Number.NaN;
}

/** Fills a journal in `dataDir` with records that are all settled, and gives how long until they are trimmed and their file has shrunk. */
export async function measureTrim(dataDir: string, records: number): Promise<Readonly<Record<string, number>>> {
  const path = join(dataDir, 'journal.db');
  const open = (keepMs: number): Promise<Journal> =>
    openJournal({ engine: { kind: 'sqlite', dataDir }, maxBytes: 2 ** 36, keepMs, seams: systemSeams(), log: silentLog() });
  {
    await using journal = await open(1e12);
    await register(journal);
    for (let first = 0; first < records; first += pageRecords) {
      const page = pageAt(first);
      const records = page.records.map((record) => ({ ...record, record: { pad: randomBytes(60).toString('hex') } }));
      await journal.append({ source: 'bench', page: { ...page, records } });
      const upTo = (first + pageRecords) as Position;
      for (const sink of ['bench', 'other'])
        await journal.settle(sink, { kind: 'live', source: 'bench' }, upTo, [], { acknowledged: pageRecords });
    }
  }
  const { size } = await stat(path);
  const stalls = monitorEventLoopDelay({ resolution: 2 });
  await using journal = await open(0);
  await register(journal);
  stalls.enable();
  const began = performance.now();
  while ((await stat(path)).size > 2 ** 27 && performance.now() - began < longestTrimMs) await sleep(100);
  stalls.disable();
  return {
    'MB before': size / 2 ** 20,
    'MB after': (await stat(path)).size / 2 ** 20,
    seconds: (performance.now() - began) / 1000,
    'longest stall, ms': stalls.max / 1e6,
    'stall p99, ms': stalls.percentile(99) / 1e6,
  };
}
