import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { openJournal } from '../../src/journal/index.ts';
import { journalPlace, withJournal } from '../../src/runtime/configured-journal.ts';
import { readConfig, readDataDir } from '../../src/runtime/read-config.ts';
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

const inDatabase = 'data_dir: ./state\njournal: { url: "postgres://p@db/p", lease: 5s }\nreplica: { name: one }\n';

it.each([
  ['in blocks', 'sources:\n  s: { connector: acme }\n# more\n\n  t: { connector: acme }\nsinks:\n  a: { type: file }'],
  ['with lines that end as on Windows', 'sources: # of all\r\n  s:\r\n    connector: acme\r\nsinks:\r\n  a: { type: file }\r\n'],
  ['before the journal', 'sinks:\n  a: { type: nothing }\n', true],
])('finds a journal in a database without reading sources and sinks %s', async (_what, blocks, isFirst = false) => {
  const path = await file(isFirst ? `${blocks}${inDatabase}` : `${inDatabase}${blocks}`, { hasJournal: false });

  expect(await journalPlace(path, seams)).toMatchObject({
    data_dir: join(path, '../state'),
    journal: { database: { url: 'postgres://p@db/p', leaseMs: 5000, schema: 'penstock' } },
    replica: { name: 'one' },
  });
});

it.each([
  ['beside blocks that are faulty', 'sources:\n  s: { connector: \ndata_dir: ./state\n'],
  ['whose anchor stands in a source', 'sources:\n  s: { options: { directory: &there ./state } }\ndata_dir: *there\n'],
  ['in a file that is one pair of braces', '{\nsources:\n  { s: { connector: acme } },\ndata_dir: ./state }\n'],
])('finds data_dir %s', async (_what, text) => {
  const path = await file(text, { hasJournal: false });

  expect(await readDataDir(path, seams)).toBe(join(path, '../state'));
});

it.each([
  ['Latin-1', Buffer.from('# für alle\ndata_dir: ./state\n', 'latin1')],
  ['UTF-16', Buffer.from('\ufeff# für alle\ndata_dir: ./state\n', 'utf16le')],
])('finds data_dir in a file that was saved as %s, which is refused', async (_what, bytes) => {
  const path = await file('', { hasJournal: false });
  await writeFile(path, bytes);

  expect(await readDataDir(path, seams)).toBe(join(path, '../state'));
  await expect(readConfig(path, seams)).rejects.toThrow(
    /^the file is (?:not UTF-8 text: byte 4, in line 1|UTF-16 text, not UTF-8)/,
  );
});
