// What vendors and those in front of them send on a bad day, to the real process: nothing is lost silently, no loop ends, no other waits.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { itInLongTests } from '../thorough.ts';
import { untilStatus } from './conditions.ts';
import { type Asked, answer, startOddVendor } from './odd-vendor.ts';
import { command, configFile, penstock, run } from './penstock.ts';

const at = (secondsAgo: number): string => new Date(Date.now() - secondsAgo * 1000).toISOString();
const good = { id: 'good-1', org_id: 'o', action_key: 'policy_updated', occurred_at: at(600), created_at: at(600), message: 'm' };

interface Event {
  readonly class_uid: number;
  readonly time: number;
  readonly metadata: { readonly labels: readonly string[]; readonly original_event_uid?: string; readonly tenant_uid?: string };
  readonly raw_data: string;
}

async function eventsIn(file: string): Promise<Event[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseJson(line) as Event);
}

/** Writes until the reader has had enough. */
function endless({ response }: Asked): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const piece = `{"items":[{"pad":"${'x'.repeat(1_000_000)}`;
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

const page = (...items: unknown[]): unknown => ({ items, total_count: items.length });

const replies: Readonly<Record<string, (asked: Asked) => void>> = {
  healthy: ({ response }) => answer(response, page(good)),
  login: ({ response }) => answer(response, '<!doctype html><title>Sign in</title>', 200, 'text/html'),
  endless,
  cut: ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"items":[');
    setTimeout(() => response.destroy(), 20);
  },
  shapeless: ({ response }) => answer(response, { data: [good] }),
  redirect: ({ response }) => {
    response.writeHead(302, { location: 'https://elsewhere.example.com/login' });
    response.end();
  },
  same: ({ response }) => answer(response, { items: [good], total_count: 10 }),
};

const told: Readonly<Record<string, RegExp>> = {
  login: /an HTML page instead of JSON/,
  endless: /bytes|large/i,
  cut: /cut off|reset|closed|ended/i,
  shapeless: /no list of records at items; it has data/,
  redirect: /elsewhere\.example\.com/,
  same: /sent the same page twice/,
};

itInLongTests('names what is wrong with a reply, keeps asking, and lets no other source wait', async () => {
  await using vendor = await startOddVendor((asked) => replies[asked.name]?.(asked));
  const file = await configFile({
    sources: Object.fromEntries(Object.keys(replies).map((name) => [name, vendor.source(name)])),
    sinks: { out: { type: 'file', path: './events.ndjson' } },
  });

  const daemon = penstock(['run', '-c', file]);
  for (const [name, words] of Object.entries(told)) {
    await daemon.said(new RegExp(`"source":"${name}".*(${words.source})`, words.flags));
  }
  // Polls that fail after their first page count as well.
  const { sources } = await untilStatus(
    file,
    'every odd source fails again and again, and what came is delivered',
    (status) =>
      status.sinks.every(({ acknowledged }) => acknowledged > 1) &&
      status.sources.every(({ name, warnings, consecutive_failures: failures }) =>
        // What a vendor never shows stops nobody: it is said, and collection goes on.
        name === 'same' ? warnings.join().includes('did not show at least 9') : name === 'healthy' || failures > 1,
      ),
  );
  const events = await eventsIn(join(dirname(file), 'events.ndjson'));
  daemon.child.kill('SIGTERM');

  expect(await daemon.exited).toBe(0);
  expect(sources.map(({ name, state }) => [name, ['failing', 'hold'].includes(state)])).toEqual(
    Object.keys(replies).map((name) => [name, name !== 'healthy' && name !== 'same']),
  );
  // The page that comes again and again was a page of records the first time.
  expect(new Set(events.flatMap(({ metadata }) => metadata.labels))).toEqual(new Set(['source:healthy', 'source:same']));
  expect(events).toHaveLength(2);
});

const nested = `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`;
const odd = [
  JSON.stringify(good),
  `{"id":"no-action","occurred_at":"${at(500)}","created_at":"${at(500)}"}`,
  `{"id":"blank-action","action_key":" ","occurred_at":"${at(500)}"}`,
  `{"id":"no-time","action_key":"policy_updated"}`,
  `{"id":"odd-time","action_key":"policy_updated","occurred_at":"yesterday","created_at":"2026-11-20T10:00:00.5+02:00"}`,
  `{"id":"never-seen","action_key":"moon_landed","occurred_at":"2026-11-20 10:00:00.123456789"}`,
  `{"id":12345678901234567890,"action_key":"policy_updated","occurred_at":"${at(400)}","meta":{"big":9007199254740993}}`,
  `{"id":"proto","action_key":"policy_updated","occurred_at":"${at(300)}","meta":{"__proto__":{"x":1},"constructor":"c"}}`,
  `{"id":"deep","action_key":"policy_updated","occurred_at":"${at(200)}","meta":${nested}}`,
  `{"id":"deepest","action_key":"policy_updated","meta":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
  '"only a text"',
  '[1,2]',
  'null',
  '7',
];

it('delivers every record of a page, whatever it is, and says which could not be read', async () => {
  const invalid = Buffer.concat([
    Buffer.from(`{"id":"bytes","action_key":"policy_updated","occurred_at":"${at(100)}","meta":{"name":"`),
    Buffer.from([0xff, 0xfe, 0xc3]),
    Buffer.from('"}}'),
  ]);
  const body = Buffer.concat([
    Buffer.from(`{"total_count":${odd.length + 1},"items":[${odd.join()},`),
    invalid,
    Buffer.from(']}'),
  ]);
  await using vendor = await startOddVendor(({ response }) => answer(response, body));
  const file = await configFile({
    sources: { odd: vendor.source('odd') },
    sinks: { out: { type: 'file', path: './events.ndjson', include_raw: true } },
  });

  const once = await run(['run', '--once', '-c', file]);
  const again = await run(['run', '--once', '-c', file]);
  const events = await eventsIn(join(dirname(file), 'events.ndjson'));
  const ledger = JSON.parse((await command(['ledger', '--json', '-c', file])).stdout) as {
    sources: { odd: Record<string, number> };
  };

  expect([once.code, again.code]).toEqual([0, 0]);
  const unreadable = events.filter(({ metadata }) => metadata.labels.includes('unreadable')).map(({ raw_data: raw }) => raw);
  expect(unreadable.map((raw) => /no-action|blank-action|NESTED TOO DEEP/.exec(raw)?.[0] ?? raw)).toEqual([
    'no-action',
    'blank-action',
    'NESTED TOO DEEP',
    'only a text',
    '[1,2]',
    'null',
    '7',
  ]);
  expect(ledger.sources.odd).toMatchObject({ new: odd.length + 1, unreadable: 7, id_conflict: 0 });
  const byId = new Map(events.map((event) => [event.metadata.original_event_uid, event]));
  expect(byId.get('no-time')?.metadata.labels).toContain('time:received');
  expect(byId.get('odd-time')?.time).toBe(Date.UTC(2026, 10, 20, 8, 0, 0, 500));
  expect(byId.get('never-seen')).toMatchObject({ class_uid: 0, time: Date.UTC(2026, 10, 20, 10, 0, 0, 123) });
  expect(byId.get('12345678901234567890')?.raw_data).toContain('"big":9007199254740993');
  expect(byId.get('proto')?.raw_data).toContain('"__proto__":{"x":1},"constructor":"c"');
  expect([byId.get('deep')?.class_uid, byId.get('deepest')?.class_uid]).toEqual([3004, 3004]);
  expect(byId.get('bytes')?.raw_data).toMatch(/"name":"\uFFFD+"/);
});
