import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openJournal } from '../../src/journal/index.ts';
import type { Position } from '../../src/journal/journal.ts';
import { commitOf, journalOptions, sink, source, temporaryDirectory } from '../journal/fixture.ts';
import { penstock } from './terminal.ts';

/** A configuration whose journal has one event, which the sink refused. */
async function withLetter(): Promise<string> {
  const folder = await temporaryDirectory();
  const dataDir = join(folder, 'data');
  await mkdir(join(folder, 'in'));
  const file = join(folder, 'penstock.yaml');
  const sources = {
    files: { connector: 'astra-csv', options: { directory: './in', org_id: 'd04d1eb2-6a52-483e-ab16-faaad3d077a9' } },
  };
  await writeFile(file, stringify({ data_dir: './data', sources, sinks: { out: { type: 'file', path: './out.ndjson' } } }));
  await using journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('files')], [sink('out')]);
  const record = { uid: '00', received: 1000, record: {} };
  await journal.append(commitOf('files', [record]));
  const connector = { name: 'example', hash: 'c0ffee' };
  const why = { code: '400', text: 'no', attempts: 1, first: 10, last: 20, eventTime: 700, action: 'user_login' };
  const letter = { source: 'files', connector, tenant: undefined, labels: [], record, ...why };
  await journal.settle('out', { kind: 'live', source: 'files' }, 1 as Position, [letter], {});
  return file;
}

it.each(['user_login', 'user.login', 'User Login'])('finds what an action is asked for, spelled %s', async (action) => {
  const file = await withLetter();

  const listed = await penstock(['dead-letters', 'list', '--action', action, '--json', '-c', file]);
  const replayed = await penstock([
    'replay',
    'out',
    '--from',
    '1d',
    '--to',
    '0s',
    '--action',
    action,
    '--drain',
    '1s',
    '-c',
    file,
  ]);
  const jobs = await penstock(['jobs', '--json', '-c', file]);
  const asked = await penstock(['dead-letters', 'discard', '--action', action, '-c', file]);
  const discarded = await penstock(['dead-letters', 'discard', '--action', action, '--yes', '-c', file]);

  expect(JSON.parse(listed.out)).toMatchObject({ count: 1 });
  expect(replayed.out).toContain('replay done');
  expect(JSON.parse(jobs.out)).toMatchObject([{ kind: 'replay', args: { action: 'user_login' } }]);
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('nothing was discarded; 1 dead letter would be gone') as string,
  ]);
  expect(discarded.out).toContain('1 dead letter discarded');
});

it('says of what tail is asked for that it has been deleted', async () => {
  const file = await withLetter();
  const all = await penstock(['tail', '--since', '2026-01-01', '--no-follow', '-c', file]);
  const db = new DatabaseSync(join(dirname(file), 'data', 'journal.db'));
  db.exec('DELETE FROM pages');
  db.close();

  const none = await penstock(['tail', '--since', '2026-01-01', '--no-follow', '-c', file]);

  expect([all.code, all.err]).toEqual([0, '']);
  expect(none.code).toBe(0);
  expect(none.err).toContain('source files: older events have been deleted from the journal (journal.keep); nothing is stored');
});
