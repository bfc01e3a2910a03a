import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formats } from '../../src/event/event.ts';
import { penstock } from './terminal.ts';

it('lists the connectors', async () => {
  const { out } = await penstock(['actions']);

  expect(out.split('\n')).toEqual(expect.arrayContaining(['anaconda', 'analyst-studio', 'astra-csv', 'astra-stream']));
});

it.each([
  { connector: 'anaconda', count: 35 },
  { connector: 'analyst-studio', count: 50 },
  { connector: 'astra-csv', count: 30 },
])('lists the $count actions of $connector, for people and as JSON', async ({ connector, count }) => {
  const table = await penstock(['actions', connector]);
  const json = JSON.parse((await penstock(['actions', connector, '--json'])).out) as {
    connector: string;
    actions: { key: string }[];
  };

  expect(table.out.trimEnd().split('\n')).toHaveLength(count + 2);
  expect([json.connector, json.actions.length]).toEqual([connector, count]);
});

it('prints a page of the action codes of a connector, and suggests one when its name is misspelt', async () => {
  const page = await penstock(['actions', 'astra-stream', '--markdown']);
  const misspelt = await penstock(['actions', 'astra-steam', '--markdown']);

  expect(page.out).toContain(
    '\n| `DISABLE_ORG_SSO` | Organization SSO disabled | 3004 Entity Management: Disable | High | high |\n',
  );
  expect([misspelt.code, misspelt.err]).toEqual([2, expect.stringContaining('did you mean "astra-stream"?')]);
});

it('writes what a SIEM has to know of the events, and names the files', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-siem-'));

  const { code, out } = await penstock(['siem', 'elastic', '--dir', dir]);
  const template = JSON.parse(await readFile(join(dir, 'elastic/index-template.json'), 'utf8')) as { priority: number };
  await rm(dir, { recursive: true });

  expect([code, out]).toEqual([0, `wrote ${dir}/elastic/ilm-policy.json\nwrote ${dir}/elastic/index-template.json\n`]);
  expect(template.priority).toBe(500);
});

it('suggests a connector when the name is misspelt', async () => {
  const { code, err } = await penstock(['sample', 'anacnda']);

  expect([code, err]).toEqual([
    2,
    expect.stringMatching(/^penstock: there is no connector "anacnda"\n {2}fix: did you mean "anaconda"\?/),
  ]);
});

it.each(formats)('prints a sample of every action, one line each, as %s', async (format) => {
  const { code, out } = await penstock(['sample', 'analyst-studio', '--format', format]);
  const lines = out.trimEnd().split('\n');

  expect(code).toBe(0);
  expect(lines.length).toBeGreaterThanOrEqual(50);
  const beginning = { cef: /^CEF:0\|/, leef: /^LEEF:2\.0\|/ }[format as string];
  for (const line of lines) {
    if (beginning === undefined) expect(typeof JSON.parse(line)).toBe('object');
    else expect(line).toMatch(beginning);
  }
});

it('prints one action alone, with the vendor’s record when asked', async () => {
  const { out } = await penstock(['sample', 'anaconda', '--action', 'policy_updated', '--include-raw']);

  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { raw_data: string; metadata: { event_code: string } });
  expect(new Set(events.map(({ metadata }) => metadata.event_code))).toEqual(new Set(['policy_updated']));
  expect(JSON.parse(events[0]?.raw_data ?? '')).toMatchObject({ action_key: 'policy_updated' });
});

it('takes the samples of the same table where a connector has none of its own', async () => {
  const [stream, csv] = await Promise.all([penstock(['sample', 'astra-stream']), penstock(['sample', 'astra-csv'])]);

  expect(stream.out.split('\n').length).toBe(csv.out.split('\n').length);
});

it.each(['connector', 'actions'])('prints the schema of %s files', async (kind) => {
  const { out } = await penstock(['schema', kind]);

  expect(JSON.parse(out)).toMatchObject({ $schema: expect.any(String) as string });
});

it('spells the keys of --json in snake_case', async () => {
  const { out } = await penstock(['actions', 'okta', '--json']);

  const { actions } = JSON.parse(out) as { actions: Record<string, unknown>[] };
  expect(Object.keys(actions[0] ?? {})).toEqual(expect.arrayContaining(['class_name', 'class_uid', 'severity_id']));
  expect(Object.keys(actions[0] ?? {}).filter((key) => /[A-Z]/.test(key))).toEqual([]);
});
