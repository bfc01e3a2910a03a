import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openJournal } from '../../src/journal/index.ts';
import type { Position } from '../../src/journal/journal.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { commitOf, journalOptions, letterOf, sink, someRecords, source, temporaryDirectory } from '../journal/fixture.ts';
import { postgresEngine } from '../journal/places.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { penstock } from './terminal.ts';

const okta = { connector: 'okta', options: { org_url: 'https://acme.example', token: '${env:PENSTOCK_NO_SUCH_TOKEN}' } };

/** A configuration of "feed" and "out", whose journal also knows "gone" and "old": each has what the other was not given. */
async function leftBehind(): Promise<string> {
  const folder = await temporaryDirectory();
  const file = join(folder, 'penstock.yaml');
  await writeFile(file, stringify({ data_dir: './data', sources: { feed: okta }, sinks: { out: { type: 'stdout' } } }));
  await using journal = await openJournal(journalOptions(join(folder, 'data')));
  await journal.register([source('feed'), source('gone')], [sink('out'), sink('old')]);
  const records = someRecords(3);
  for (const name of ['feed', 'gone']) {
    await journal.append(commitOf(name, records));
    const letters = records.slice(0, 1).map((record) => letterOf(record, { source: name }));
    await journal.settle('old', { kind: 'live', source: name }, 2 as Position, letters, { acknowledged: 1 });
  }
  return file;
}

describe.each([
  {
    kind: 'source',
    name: 'gone',
    shown: [
      'source gone: 3 records collected, 3 of them stored',
      'sink  not delivered  dead letters',
      'old               1             1',
      'out               3             0',
    ],
    fix: 'start the daemon to have it delivered, which it does without the source, or repeat with --yes',
    left: 'source gone was forgotten, with 4 events not delivered and 1 dead letter',
    misspelt: 'gon',
    configured: 'feed',
  },
  {
    kind: 'sink',
    name: 'old',
    shown: [
      'sink old',
      'source  not delivered  dead letters',
      'feed                1             1',
      'gone                1             1',
    ],
    fix: 'write the sink back under its name, and it gets what waits for it, or repeat with --yes',
    left: 'sink old was forgotten, with 2 events not delivered and 2 dead letters',
    misspelt: 'odl',
    configured: 'out',
  },
])('of a $kind that was removed', ({ kind, name, shown, fix, left, misspelt, configured }) => {
  it('shows what would go undelivered, deletes nothing, and says how to go on', async () => {
    const file = await leftBehind();

    const picture = await penstock([`${kind}s`, 'forget', name, '-c', file]);
    const ledger = await penstock(['ledger', '--json', '-c', file]);

    expect([picture.code, picture.out.trimEnd().split('\n')]).toEqual([2, shown]);
    expect(picture.err).toContain(`fix: ${fix}`);
    expect((JSON.parse(ledger.out) as { rows: unknown[] }).rows).toHaveLength(4);
  });

  it('forgets it with --yes, and the ledger keeps what was not delivered', async () => {
    const file = await leftBehind();

    const forgotten = await penstock([`${kind}s`, 'forget', name, '--yes', '-c', file]);
    const ledger = await penstock(['ledger', '-c', file]);
    const again = await penstock([`${kind}s`, 'forget', name, '--yes', '-c', file]);

    expect([forgotten.code, forgotten.out.trimEnd().split('\n')]).toEqual([
      0,
      [...shown, `${kind} ${name} is forgotten; "penstock ledger" keeps what it left undelivered`],
    ]);
    expect([ledger.code, ledger.out]).toEqual([0, expect.stringContaining(left) as string]);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining(`no ${kind} is called "${name}"`) as string]);
  });

  it('refuses one that is configured, and a name that nobody knows', async () => {
    const file = await leftBehind();

    const used = await penstock([`${kind}s`, 'forget', configured, '--yes', '-c', file]);
    const unknown = await penstock([`${kind}s`, 'forget', misspelt, '--yes', '-c', file]);

    expect([used.code, used.err]).toEqual([2, expect.stringContaining('remove it from the configuration first') as string]);
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining(`did you mean "${name}"?`) as string]);
  });
});

it.each(['source', 'sink'])('forgets a %s with which nothing goes at once', async (kind) => {
  const file = await leftBehind();
  const journal = await openJournal(journalOptions(join(dirname(file), 'data')));
  await journal.register([source('empty')], []);
  await journal.register([], [sink('empty')]);
  await journal[Symbol.asyncDispose]();

  const forgotten = await penstock([`${kind}s`, 'forget', 'empty', '-c', file]);

  expect([forgotten.code, forgotten.out]).toEqual([0, expect.stringContaining(`${kind} empty is forgotten`) as string]);
});

it.runIf(hasPostgres())('goes by no replica that died, and says which may come back as it was', async () => {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const file = join(await temporaryDirectory(), 'penstock.yaml');
  await writeFile(file, stringify({ journal: { url, schema }, sources: { feed: okta }, sinks: { out: { type: 'stdout' } } }));
  const engine = postgresEngine(url, schema);
  const journal = await openPostgres(engine, { ...journalOptions(''), engine });
  await journal.register([source('feed'), source('gone')], [sink('out')]);
  await journal.append(commitOf('gone', someRecords(3)));
  await journal[Symbol.asyncDispose]();
  const fallen = `INSERT INTO ${schema}.members (id, name, expires, seen, host, version) SELECT 'three~1', 'three', t, t, 'h', '1' FROM (SELECT now() - interval '12 minutes' AS t) q`;
  await onServer(url, (client) => client.query(fallen));

  const picture = await penstock(['sources', 'forget', 'gone', '-c', file]);
  const forgotten = await penstock(['sources', 'forget', 'gone', '--yes', '-c', file]);

  expect(picture).toMatchObject({ code: 2, out: expect.stringContaining('3 of them stored') as string });
  expect(forgotten).toMatchObject({ code: 0, out: expect.stringContaining('source gone is forgotten') as string });
  expect(forgotten.err).toMatch(
    /^replica three was last heard of 12m.* ago and did not leave: where it still runs, stop it, and start it again with the new configuration\n$/,
  );
});
