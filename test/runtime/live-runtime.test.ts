import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { Config } from '../../src/config/config.ts';
import { LiveRuntime } from '../../src/runtime/live-runtime.ts';
import { load, temporaryFolder } from '../config/load.ts';
import { temporaryJournal } from '../journal/fixture.ts';
import { handOver } from '../journal/ownership.ts';

const stdout = { type: 'stdout' };

function runtimeOf(config: Config, journal: Awaited<ReturnType<typeof temporaryJournal>>, log = silentLog()): LiveRuntime {
  return new LiveRuntime(config, journal, {
    seams: systemSeams(),
    log,
    userAgent: 'penstock/0',
    secrets: config.secrets,
  });
}

async function stopped(runtime: LiveRuntime): Promise<void> {
  await Promise.all([...runtime.sinks.values()].map(({ loop }) => loop.stop(0)));
}

it('keeps the loops of what has not changed, and the order of the file', async () => {
  await using journal = await temporaryJournal();
  const folder = await temporaryFolder();
  const of = (sinks: object): Promise<Config> => load(JSON.stringify({ sinks }), { folder });
  const runtime = runtimeOf(await of({ kept: stdout, changed: stdout, gone: stdout }), journal);
  await runtime.register();
  const before = new Map(runtime.sinks);

  const report = await runtime.change(await of({ added: stdout, changed: { ...stdout, in_flight: 2 }, kept: stdout }), 100);

  expect([...runtime.sinks.keys()]).toEqual(['added', 'changed', 'kept']);
  expect(runtime.sinks.get('kept')).toBe(before.get('kept'));
  expect(runtime.sinks.get('changed')).not.toBe(before.get('changed'));
  expect(before.get('gone')?.loop.status().state).toBe('stopped');
  expect(report).toMatchObject({ newSinks: [{ name: 'added' }], orphanSinks: [{ name: 'gone' }] });
  await stopped(runtime);
});

it('starts what it had ended again when the journal refuses the new names', async () => {
  await using journal = await temporaryJournal();
  const folder = await temporaryFolder();
  const of = (sinks: object): Promise<Config> => load(JSON.stringify({ sinks }), { folder });
  const failing = { ...journal, register: () => Promise.reject(new Error('the disk is full')) };
  const runtime = runtimeOf(await of({ one: stdout, two: stdout }), failing);

  await expect(runtime.change(await of({ one: { ...stdout, in_flight: 2 } }), 100)).rejects.toThrow('the disk is full');

  expect(
    [...runtime.sinks.values()].map(({ settings, loop }) => [settings.name, settings.inFlight, loop.status().state]),
  ).toEqual([
    ['one', 4, expect.not.stringMatching('stopped')],
    ['two', 4, expect.not.stringMatching('stopped')],
  ]);
  await stopped(runtime);
});

it('has the loops of the sources that this process owns, as they come and go', async () => {
  await using journal = await temporaryJournal();
  const folder = await temporaryFolder();
  const source = { connector: 'vendor', options: { org_id: 'acme' } };
  const config = await load(JSON.stringify({ sources: { a: source, b: source }, sinks: { out: stdout } }), { folder });
  const { ownership, gain, lose, release } = handOver();
  const said: unknown[] = [];
  const log = silentLog();
  log.info = (facts: unknown, what?: unknown) => void said.push([what, facts]);
  const runtime = runtimeOf(config, { ...journal, ownership }, log);
  const names = (): string[] => [...runtime.sources.keys()];
  const before = names();

  gain('b', 'a');
  const gained = names();
  lose('a');
  const left = names();
  await release('b');
  const none = names();
  gain('b');

  expect([before, gained, left, none, names()]).toEqual([[], ['a', 'b'], ['b'], [], ['b']]);
  expect(said).toEqual([
    ['sources came to this replica', { count: 2, sources: ['a', 'b'] }],
    ['sources left this replica', { count: 1, sources: ['a'] }],
    ['sources left this replica', { count: 1, sources: ['b'] }],
    ['sources came to this replica', { count: 1, sources: ['b'] }],
  ]);
  await stopped(runtime);
});

it('shows no secret that a vendor repeated, where a source waits for its next try', async () => {
  await using journal = await temporaryJournal();
  const token = 'made-up-token-of-a-receiver-1';
  const sources = { a: { connector: 'vendor', options: { org_id: 'acme' } } };
  const sinks = { soc: { type: 'splunk_hec', endpoint: 'https://hec.example.com', token } };
  const config = await load(JSON.stringify({ sources, sinks }), { folder: await temporaryFolder() });
  const { ownership, gain } = handOver();
  const runtime = runtimeOf(config, { ...journal, ownership });
  gain('a');
  const waits = runtime.sources.get('a')?.deps.waits;
  using wait = waits?.begin();

  wait?.again(new Error(`answered 503 "not with ${token}, nor \u001b[2Jwith ${Buffer.from(token).toString('base64')}"`));
  const after = waits?.longest()?.after;

  expect(after).toMatch(/^answered 503 "not with \[REDACTED\], nor .*\[REDACTED\]"$/);
  expect(after).not.toContain('\u001b');
  await stopped(runtime);
});
