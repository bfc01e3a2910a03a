import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import { zeroCounts } from '../../src/journal/counts.ts';
import type { Commit, JournalOptions, NewDeadLetter, NewPage, Seen, StoredRecord } from '../../src/journal/index.ts';

/** Options of a journal with small limits and the real machine behind it. */
export function journalOptions(dataDir: string, change: Partial<JournalOptions> = {}): JournalOptions {
  return {
    engine: { kind: 'sqlite', dataDir },
    maxBytes: 16 * 1024 * 1024,
    keepMs: 7 * 86_400_000,
    seams: systemSeams(),
    log: silentLog(),
    lockWaitMs: 0,
    ...change,
  };
}

/** The machine's seams with time that a test lets pass: `set` moves both clocks, `step` only the wall clock. */
export function seamsAt(start: number): Seams & { set(now: number): void; step(byMs: number): void } {
  const seams = systemSeams();
  let now = start;
  let stepped = 0;
  const clock = { ...seams.clock, now: () => now + stepped, monotonic: () => seams.clock.monotonic() + now - start };
  return { ...seams, clock, set: (to) => void (now = to), step: (byMs) => void (stepped += byMs) };
}

export const connector = { name: 'example', hash: 'c0ffee', text: 'name: example' };

/** `count` records with uids that tell which they are. */
export function someRecords(
  count: number,
  { prefix = 'r', received = 1000 }: { prefix?: string; received?: number } = {},
): StoredRecord[] {
  return Array.from({ length: count }, (_none, index) => ({
    uid: `${prefix}${index + 1}`,
    received,
    record: { n: index + 1, prefix },
  }));
}

export function pageOf(records: readonly StoredRecord[], change: Partial<NewPage> = {}): NewPage {
  return { lane: 'live', connector, tenant: 'acme', labels: ['audit'], minTime: 500, maxTime: 900, records, ...change };
}

/** A commit of one page with the window that counts it. */
export function commitOf(source: string, records: readonly StoredRecord[], change: Partial<NewPage> = {}): Commit {
  const page = pageOf(records, change);
  const counts = { fetched: records.length, new: records.length, duplicate: 0, excluded: 0, unreadable: 0, id_conflict: 0 };
  return {
    source,
    page,
    window: { key: 'w1', lane: page.lane, from: 0, to: 1000, ...counts },
    checkpoint: { name: 'live', value: { after: records.at(-1)?.uid } },
  };
}

/** What a poll leaves that met so many records, all of them known. */
export const quietCommit = (source: string, met = 0): Commit => ({
  source,
  window: { key: 'w1', lane: 'live', from: 0, to: 1000, ...zeroCounts(), fetched: met, duplicate: met, complete: true },
  checkpoint: { name: 'live', value: { met } },
});

export const sink = (name: string, start: 'now' | 'oldest' | number = 'now', whenFull: 'wait' | 'skip' = 'wait') => ({
  name,
  type: 'file',
  start,
  whenFull,
});

export const source = (name: string, identity: Record<string, string> = {}) => ({
  name,
  connector: 'example',
  identity,
  seenTtlMs: 100 * 86_400_000,
  seenPinnedMs: 86_400_000,
});

/** A dead letter of a record. */
export function letterOf(record: StoredRecord, change: Partial<NewDeadLetter> = {}): NewDeadLetter {
  const page = { source: 's', connector: { name: connector.name, hash: connector.hash }, tenant: 'acme', labels: ['audit'] };
  return {
    record,
    ...page,
    eventTime: 700,
    action: 'login',
    code: '400',
    text: 'bad event',
    attempts: 1,
    first: 10,
    last: 20,
    ...change,
  };
}

/** A record as a plain value: that of a page is parsed when it is asked for. */
export const plain = (each: StoredRecord): StoredRecord => ({ ...each, record: each.record });

/** What is remembered with a page of the process that is killed: few ids, or with every other page enough for a block. */
export const idsOfPage = (page: number): Seen[] =>
  Array.from({ length: page % 2 === 0 ? 40 : 3 }, (_none, index) => ({
    day: 1,
    id: (page * 100 + index).toString(16).padStart(32, '0'),
    fingerprint: 'ab'.repeat(8),
  }));
