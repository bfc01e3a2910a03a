// What a check asks of a source: some of its newest records, in a way that its paging allows and in a span that the vendor takes.
import fs from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { check } from '../../src/operate/check.ts';
import { plainUserAgent } from '../../src/runtime/open-runtime.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { actions } from '../connectors/vendor.ts';

const seams = systemSeams();

interface Vendor {
  /** Settings of `read.window` beside the usual ones. */
  readonly window?: object;
  /** The records of an answer, by its query. */
  readonly recordsOf?: (query: URLSearchParams) => readonly unknown[];
}

/** A source whose vendor takes ranges up to so many hours and counts more than it shows; gives what was found and asked. */
async function checked(
  page: unknown,
  mostHours = 1_000,
  rows = 1,
  { window, recordsOf }: Vendor = {},
): Promise<{ readonly findings: unknown; readonly odd: readonly string[]; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    const { pathname, searchParams: query } = new URL(url, 'http://x');
    asked.push(`${pathname}${query.has('skip') ? `?skip=${query.get('skip')}` : ''}`);
    const hours = (Date.parse(query.get('to') ?? '') - Date.parse(query.get('from') ?? '')) / 3_600_000;
    const time = new Date(seams.clock.now() - 60_000).toISOString();
    const data = recordsOf?.(query) ?? Array.from({ length: rows }, (_none, id) => ({ id, time, action: 'a' }));
    response.writeHead(hours > mostHours ? 400 : 200, { 'content-type': 'application/json', link: '</p2>; rel="next"' });
    response.end(JSON.stringify(recordsOf === undefined ? { data, total: 9 } : { data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-check-'));
  onTestFinished(async () => {
    server.close();
    await fs.rm(folder, { recursive: true });
  });
  const { port } = server.address() as AddressInfo;
  const query = { from: '{{ window.from }}', to: '{{ window.to }}', skip: '{{ page.offset }}' };
  const read = {
    kind: 'http_window',
    schedule: '1m',
    request: { url: `http://127.0.0.1:${port}/logs`, query },
    page,
    records: 'data',
    window: { overlap: '5m', settle: '30s', max: '24h', ...window },
  };
  const connector = {
    name: 'vendor',
    options: {},
    read,
    record: { id: 'id', time: 'time', action: 'action' },
    map: {},
    actions: './actions.yaml',
  };
  await fs.mkdir(join(folder, 'c/vendor'), { recursive: true });
  await fs.writeFile(join(folder, 'c/vendor/connector.yaml'), JSON.stringify(connector));
  await fs.writeFile(join(folder, 'c/vendor/actions.yaml'), JSON.stringify(actions));
  const file = join(folder, 'penstock.yaml');
  const sources = { one: { connector: 'vendor', options: {} } };
  await fs.writeFile(
    file,
    JSON.stringify({ data_dir: './data', connectors_dir: './c', sources, sinks: { out: { type: 'stdout' } } }),
  );
  const config = await readConfig(file, seams);
  const context = { seams, log: silentLog(), userAgent: plainUserAgent, secrets: config.secrets };
  for await (const finding of check(config, context, new AbortController().signal))
    if (finding.kind === 'source') return { findings: [finding.ok, finding.findings[0]], odd: finding.findings.slice(1), asked };
  throw new Error('no source was checked');
}

it.each([
  ['its last row, where pages are told by rows', { kind: 'offset', total: 'total' }, ['/logs?skip=0', '/logs?skip=8']],
  ['nothing else, where pages are links', { kind: 'link_header', total: 'total' }, ['/logs?skip=0']],
])('asks beside the first page for %s', async (_what, page, paths) => {
  const { findings, asked } = await checked(page);

  expect([findings, asked]).toEqual([[true, 'answers; 9 events in the last 7d, the newest 1m ago'], paths]);
});

it('asks for less where the vendor takes no longer span', async () => {
  const { findings, asked } = await checked({ kind: 'none' }, 3);

  expect([findings, asked.length]).toEqual([[true, 'answers; 1 event in the last 1h, the newest 1m ago'], 3]);
});

it('says that a full page leads to no other', async () => {
  const { findings } = await checked({ kind: 'link', link: 'links.next' }, 1_000, 50);

  expect(findings).toEqual([
    true,
    'answers; 50 or more events in the last 7d, the newest 1m ago; the page is full and names no next one: see that read.page of the connector leads to it',
  ]);
});

/** A vendor that reads its bounds in one unit: how many of them a second has. */
const inUnit =
  (perSecond: number): Vendor['recordsOf'] =>
  (query) => {
    const [from, to] = ['from', 'to'].map((name) => Number(query.get(name)) / perSecond);
    const time = seams.clock.now() / 1000 - 60;
    return from !== undefined && to !== undefined && from <= time && time <= to ? [{ id: 1, time, action: 'a' }] : [];
  };

it.each([
  ['epoch_s', 'epoch_ms', 1e3],
  ['epoch_s', 'epoch_ns', 1e9],
  ['epoch_ms', 'epoch_s', 1],
  ['epoch_ns', 'epoch_us', 1e6],
])('says of a vendor that shows nothing for bounds as %s that it reads them as %s', async (format, meant, perSecond) => {
  const { odd } = await checked({ kind: 'none' }, 1_000, 0, { window: { format }, recordsOf: inUnit(perSecond) });

  expect(odd).toEqual([
    `it has events where the bounds are written as ${meant}, not ${format}: set format: ${meant} under read.window of the connector`,
  ]);
});

it('says nothing of the unit where the vendor has no events, or shows others', async () => {
  const old = { id: 1, time: seams.clock.now() / 1000 - 30 * 86_400, action: 'a' };
  const recordsOf: Vendor['recordsOf'] = (query) => (Number(query.get('to')) > 1e12 ? [old] : []);

  const { findings, odd, asked } = await checked({ kind: 'none' }, 1_000, 0, { window: { format: 'epoch_s' }, recordsOf });

  expect([findings, odd, asked.length]).toEqual([[true, 'answers; no events in the last 7d'], [], 4]);
});

it('says what is wrong with how the records are read', async () => {
  const now = seams.clock.now();
  const { odd } = await checked({ kind: 'none' }, 1_000, 0, {
    recordsOf: () => [
      { id: 'dana', time: now, action: 'a' },
      { id: 'dana', time: now, action: 'b' },
      { id: 'dana', time: now, action: 'b' },
      { id: 'sam', time: now / 60_000, action: 'a' },
      { id: 'kim', time: now + 30 * 3_600_000, action: 'a' },
      { time: now },
      { id: 'lee', action: 'a' },
    ],
  });

  expect(odd).toEqual([
    '2 of 7 records have the id of another one that is not the same: take a path for record.id that names one record',
    '1 of 7 records have nothing at record.id and are named by their content: see that it leads to their id',
    '1 of 7 records have a time that cannot be read, or lies before 2000: see that record.time leads to it, and its unit',
    '1 of 7 records have no time: see that record.time leads to it',
    '1 of 7 records have a time more than a day ahead of this machine: see that record.time leads to when it happened, and its unit',
    '1 of 7 records have no action: see that record.action leads to it',
  ]);
});
