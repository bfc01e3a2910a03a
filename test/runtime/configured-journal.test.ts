import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { openJournal } from '../../src/journal/index.ts';
import { withJournal } from '../../src/runtime/configured-journal.ts';
import { temporaryFolder } from '../config/load.ts';
import { journalOptions, sink, source } from '../journal/fixture.ts';

const seams = systemSeams();

async function file(text: string, { hasJournal = true } = {}): Promise<string> {
  const folder = await temporaryFolder();
  const path = join(folder, 'penstock.yaml');
  await writeFile(path, text);
  if (!hasJournal) return path;
  await using journal = await openJournal(journalOptions(join(folder, 'state')));
  await journal.register([source('s')], [sink('a')]);
  return path;
}

it.each([
  ['valid', 'data_dir: ./state\nsources: {}\nsinks: { a: { type: stdout } }\n'],
  ['no YAML', 'data_dir: ./state\nsinks: {\n'],
  ['half written', 'data_dir: ./state\nsinks: { a: { typ'],
  ['faulty', 'data_dir: ./state\nsinks: { a: { type: nothing } }\n'],
])('opens the journal of a file that is %s', async (_what, text) => {
  const path = await file(text);

  await expect(withJournal(path, seams, (journal) => journal.lanes('a'))).resolves.toEqual([]);
});

it.each([
  ['there is no journal', 'data_dir: ./state\nsinks: {', { hasJournal: false }],
  ['it is in a database', 'data_dir: ./state\njournal: { url: "postgres://p@db/p" }\nsinks: {', {}],
])('says what is wrong with the file where %s', async (_what, text, given) => {
  const path = await file(text, given);

  await expect(withJournal(path, seams, (journal) => journal.lanes('a'))).rejects.toMatchObject({ code: 'PEN_CONFIG_INVALID' });
});
