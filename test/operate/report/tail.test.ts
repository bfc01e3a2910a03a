import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemSeams } from '../../../src/base/seams.ts';
import { loadConnector } from '../../../src/connectors/index.ts';
import { openJournal } from '../../../src/journal/index.ts';
import type { Journal, NewPage, StoredRecord } from '../../../src/journal/journal.ts';
import { type TailRequest, tail } from '../../../src/operate/report/tail.ts';
import { shippedConnectors } from '../../../src/runtime/read-config.ts';
import { load } from '../../config/load.ts';
import { commitOf, journalOptions, sink, source, temporaryDirectory } from '../../journal/fixture.ts';

const seams = systemSeams();
const okta = await loadConnector('okta', { dirs: [shippedConnectors], files: seams.files });
const samples = (await readFile(join(shippedConnectors, 'okta/samples.ndjson'), 'utf8')).trim().split('\n');
const connector = { name: okta.name, hash: okta.hash, text: okta.text };

const configText = `sources:
  one: { connector: okta, options: { org_url: "https://one.okta.com", token: abcdef } }
  two: { connector: okta, options: { org_url: "https://two.okta.com", token: abcdef } }
sinks:
  all: { type: stdout }
  some: { type: stdout, sources: [two], format: cef, filter: { min_severity: medium } }
`;

/** So many records of the samples, received at that time; each `uid` says where it stands. */
function records(count: number, received: number, prefix: string): StoredRecord[] {
  return samples.slice(0, count).map((line, index) => ({ uid: `${prefix}${index}`, received, record: JSON.parse(line) }));
}

async function opened() {
  const dataDir = await temporaryDirectory();
  const journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('one'), source('two')], [sink('all', 'oldest'), sink('some', 'oldest')]);
  const observer = await openJournal(journalOptions(dataDir, { role: 'observer' }));
  const config = await load(configText, { loadConnector: () => Promise.resolve(okta), now: Date.now });
  const append = async (name: string, of: readonly StoredRecord[], lane: NewPage['lane'] = 'live'): Promise<void> =>
    journal.append(commitOf(name, of, { connector, lane }));
  return {
    journal,
    config,
    append,
    observer,
    [Symbol.asyncDispose]: async () => {
      await observer[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
    },
  };
}

type Opened = Awaited<ReturnType<typeof opened>>;

async function linesOf({ config, observer }: Opened, request: Partial<TailRequest>): Promise<string[]> {
  const found: string[] = [];
  const asked = { format: 'ocsf', follow: false, since: 0, ...request } as const;
  for await (const lines of tail(config, observer, asked, seams, new AbortController().signal)) found.push(...lines);
  return found;
}

const uidsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);

describe('what is stored', () => {
  it('is shown from the time of its receipt on, live and backfilled, of all sources', async () => {
    await using all = await opened();
    await all.append('one', records(5, 1000, 'a'));
    await all.append('one', records(3, 2000, 'b'));
    await all.append('one', records(2, 3000, 'c'), 'backfill');
    await all.append('two', records(2, 3000, 'd'));

    expect(uidsOf(await linesOf(all, { since: 2000 })).toSorted()).toEqual(['b0', 'b1', 'b2', 'c0', 'c1', 'd0', 'd1']);
    expect(uidsOf(await linesOf(all, { since: 3001 }))).toEqual([]);
    expect(uidsOf(await linesOf(all, { since: 0, source: 'two' }))).toEqual(['d0', 'd1']);
  });

  it('is shown as a sink gets it: what it takes, its filter, its format', async () => {
    await using all = await opened();
    await all.append('one', records(5, 1000, 'a'));
    await all.append('two', records(samples.length, 1000, 'b'));

    const lines = await linesOf(all, { sink: 'some', format: 'cef' });

    expect(lines.length).toBeGreaterThan(3);
    expect(lines.length).toBeLessThan(samples.length);
    expect(lines.filter((line) => !/^CEF:0\|.*\|([5-9]|10)\|/.test(line))).toEqual([]);
  });

  it('is shown of one action, however it is spelled', async () => {
    await using all = await opened();
    await all.append('one', records(samples.length, 1000, 'a'));

    const lines = await linesOf(all, { action: 'System.Api_Token.Create', format: 'line' });

    expect(lines).toEqual([
      '2026-11-20T10:36:30.123Z  one               medium    API token created  by dana@example.com  from 192.0.2.10',
    ]);
  });

  it('is not changed by being shown', async () => {
    await using all = await opened();
    await all.append('one', records(5, 1000, 'a'));
    const before = await all.journal.lanes('all');

    await linesOf(all, {});

    expect(await all.journal.lanes('all')).toEqual(before);
  });
});

it('follows what another process appends, and begins with what comes', async () => {
  await using all = await opened();
  await all.append('one', records(5, 1000, 'a'));
  const stop = new AbortController();
  const asked = { format: 'ocsf', follow: true } as const;
  const lines = tail(all.config, all.observer, asked, seams, stop.signal);

  const first = lines.next();
  // Reading has begun where the lane ended once it waits for more.
  await waitsForMore(all.observer);
  await all.append('one', records(2, 1000, 'b'));

  expect(uidsOf((await first).value as string[])).toEqual(['b0', 'b1']);
  const last = lines.next();
  stop.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

function waitsForMore(journal: Journal): Promise<void> {
  const changed = journal.changed.bind(journal);
  return new Promise((resolve) => {
    Object.assign(journal, {
      changed: (signal: AbortSignal) => {
        resolve();
        return changed(signal);
      },
    });
  });
}

it.each([
  { request: { source: 'three' }, code: 'PEN_NOT_FOUND', fix: 'use one of: one, two' },
  { request: { sink: 'none' }, code: 'PEN_NOT_FOUND', fix: 'use one of: all, some' },
  { request: { sink: 'some', source: 'one' }, code: 'PEN_USAGE', fix: 'it takes two' },
])('refuses $request', async ({ request, code, fix }) => {
  await using all = await opened();

  await expect(linesOf(all, request)).rejects.toMatchObject({ code, fix });
});

it('says what to do where no daemon has run with this configuration', async () => {
  await using all = await opened();
  const config = await load(configText.replaceAll('all:', 'new:').replaceAll('some:', 'newer:'), {
    loadConnector: () => Promise.resolve(okta),
    now: Date.now,
  });

  await expect(linesOf({ ...all, config }, {})).rejects.toMatchObject({
    fix: 'start the daemon with this configuration: penstock run',
  });
});
