import { PenstockError } from '../../../src/base/errors.ts';
import type { Json } from '../../../src/base/json.ts';
import type { LedgerRow, RegistrationReport, SinkRegistration, SourceRegistration } from '../../../src/journal/journal.ts';
import { forgottenNote } from '../../../src/journal/records/given-up.ts';
import { discard, lanesOf } from './delivery.ts';
import { countsAt, dropKeys, laneKey, laneOf, type MemoryDisk, removeFrom, renameKeys, totalsAt } from './disk.ts';

const pendingOf = (disk: MemoryDisk, sink: string): number =>
  lanesOf(disk, sink).reduce((sum, { lane, pending }) => sum + (lane.kind === 'replay' ? 0 : pending), 0);

export function register(
  disk: MemoryDisk,
  sources: readonly SourceRegistration[],
  sinks: readonly SinkRegistration[],
): RegistrationReport {
  for (const known of [...disk.sources.values(), ...disk.sinks.values()]) known.configured = false;
  const changedSources = sources.flatMap((source) => registerSource(disk, source));
  const added = sinks.filter(({ name }) => !disk.sinks.has(name));
  for (const { name } of sinks) disk.sinks.set(name, { ...disk.sinks.get(name), configured: true });
  for (const sink of added) startSink(disk, sink);
  const orphans = <T extends { configured: boolean }>(known: Map<string, T>): string[] =>
    [...known].flatMap(([name, { configured }]) => (configured ? [] : [name])).sort();
  return {
    newSinks: added.map(({ name }) => ({ name, pending: pendingOf(disk, name) })),
    orphanSinks: orphans(disk.sinks).map((name) => ({ name, pending: pendingOf(disk, name) })),
    orphanSources: orphans(disk.sources),
    changedSources,
  };
}

function registerSource(disk: MemoryDisk, { name, identity }: SourceRegistration): RegistrationReport['changedSources'] {
  const is = JSON.stringify(identity);
  const was = disk.sources.get(name)?.identity ?? is;
  disk.sources.set(name, { identity: was, registered: is, configured: true });
  countsAt(disk, name);
  return was === is ? [] : [{ name, was: JSON.parse(was) as Record<string, string>, is: identity }];
}

function startSink(disk: MemoryDisk, { name, start }: SinkRegistration): void {
  const passed: Record<string, number> = {};
  disk.sinks.set(name, { configured: true, start: { at: disk.now(), passed } });
  for (const [key, entries] of disk.lanes) {
    const isMeant = ({ page }: (typeof entries)[number]): boolean => start === 'oldest' || page.maxTime >= Number(start);
    const first = start === 'now' ? -1 : entries.findIndex(isMeant);
    const offset = first === -1 ? entries.length : first;
    disk.offsets.set(`${name} ${key}`, offset);
    const { source } = laneOf(key);
    totalsAt(disk, name, source).not_routed += offset;
    if (offset > 0) passed[source] = (passed[source] ?? 0) + offset;
  }
}

export function formerNames({ sources }: MemoryDisk, source: string): string[] {
  const identity = sources.get(source)?.identity;
  if (identity === undefined) return [];
  return [...sources]
    .flatMap(([name, one]) => (one.identity === identity && !one.configured && name !== source ? [name] : []))
    .sort();
}

export function renameSource(disk: MemoryDisk, from: string, to: string): void {
  if (!disk.sources.has(from)) throw new PenstockError('PEN_NOT_FOUND', `the journal knows no source "${from}"`);
  if (from === to) return;
  const hasCheckpoint = [...disk.checkpoints.keys()].some((key) => key.startsWith(`${to} `));
  if (countsAt(disk, to).fetched > 0 || hasCheckpoint) throw taken(to);
  const isConfigured = disk.sources.get(to)?.configured === true;
  for (const map of [disk.sources, disk.counts]) dropKeys(map, 0, to);
  for (const map of [disk.sources, disk.counts, disk.windows, disk.checkpoints, disk.notes, disk.seen])
    renameKeys<unknown>(map, 0, from, to);
  renameKeys(disk.lanes, 1, from, to);
  for (const { start } of disk.sinks.values()) {
    const { [from]: passed, ...rest } = start?.passed ?? {};
    if (start !== undefined && passed !== undefined) start.passed = { ...rest, [to]: passed };
  }
  renameKeys(disk.totals, 1, from, to);
  renameKeys(disk.offsets, 2, from, to);
  for (const [key, window] of disk.windows) if (window.source === from) disk.windows.set(key, { ...window, source: to });
  for (const [index, letter] of disk.letters.entries())
    if (letter.source === from) disk.letters[index] = { ...letter, source: to };
  const renamed = disk.sources.get(to);
  if (renamed !== undefined) renamed.configured ||= isConfigured;
}

export function renameSink(disk: MemoryDisk, from: string, to: string): void {
  if (!disk.sinks.has(from)) throw new PenstockError('PEN_NOT_FOUND', `the journal knows no sink "${from}"`);
  if (from === to) return;
  const history = [...disk.totals].filter(([key]) => key.startsWith(`${to} `));
  if (history.some(([, { acknowledged, unconfirmed, dead_lettered }]) => acknowledged + unconfirmed + dead_lettered > 0))
    throw taken(to);
  const isConfigured = disk.sinks.get(to)?.configured === true;
  for (const map of [disk.sinks, disk.totals, disk.offsets]) {
    dropKeys(map, 0, to);
    renameKeys<unknown>(map, 0, from, to);
  }
  for (const [index, letter] of disk.letters.entries()) if (letter.sink === from) disk.letters[index] = { ...letter, sink: to };
  const renamed = disk.sinks.get(to);
  if (renamed !== undefined) renamed.configured ||= isConfigured;
}

const taken = (name: string): PenstockError => new PenstockError('PEN_OPERATION_FAILED', `"${name}" has a history of its own`);

export function forgetSink(disk: MemoryDisk, name: string): void {
  if (!disk.sinks.has(name)) throw new PenstockError('PEN_NOT_FOUND', `the journal knows no sink "${name}"`);
  const abandoned = pendingOf(disk, name);
  const discarded = discard(disk, { sink: name });
  for (const map of [disk.sinks, disk.totals, disk.offsets]) dropKeys(map, 0, name);
  removeFrom(disk.replays, ({ sink }) => sink === name);
  disk.held.delete(`sink ${name}`);
  disk.notes.set(` ${forgottenNote('sink', disk.notes.size)}`, { sink: name, at: disk.now(), abandoned, discarded });
}

export function forgetSource(disk: MemoryDisk, name: string): void {
  if (!disk.sources.has(name)) throw new PenstockError('PEN_NOT_FOUND', `the journal knows no source "${name}"`);
  const abandoned = ledgerRows(disk).reduce((sum, { source, totals }) => sum + (source === name ? totals.pending : 0), 0);
  const discarded = discard(disk, { source: name });
  for (const map of [disk.sources, disk.counts, disk.windows, disk.checkpoints, disk.notes, disk.seen]) dropKeys(map, 0, name);
  for (const map of [disk.lanes, disk.totals]) dropKeys(map, 1, name);
  dropKeys(disk.offsets, 2, name);
  removeFrom(disk.replays, ({ source }) => source === name);
  disk.held.delete(`source ${name}`);
  disk.notes.set(` ${forgottenNote('source', disk.notes.size)}`, { source: name, at: disk.now(), abandoned, discarded });
}

export function resetSource(disk: MemoryDisk, name: string, checkpoint: Json): void {
  const source = disk.sources.get(name);
  if (source !== undefined) source.identity = source.registered;
  disk.checkpoints.set(`${name} live`, checkpoint);
}

export function ledgerRows(disk: MemoryDisk): LedgerRow[] {
  return [...disk.sinks.keys()].sort().flatMap((sink) =>
    [...disk.counts.keys()].sort().map((source) => {
      const pending = (['live', 'backfill'] as const)
        .map((kind) => laneKey({ kind, source }))
        .reduce((sum, key) => sum + (disk.lanes.get(key)?.length ?? 0) - (disk.offsets.get(`${sink} ${key}`) ?? 0), 0);
      const letters = [...disk.letters].filter((one) => one.sink === sink && one.source === source).length;
      return { sink, source, totals: { ...totalsAt(disk, sink, source), pending }, new: countsAt(disk, source).new, letters };
    }),
  );
}
