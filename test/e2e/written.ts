// Everything that a daemon has written below a folder, for tests that look for secrets in it.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdDecompressSync } from 'node:zlib';

const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function textOf(value: unknown): string {
  if (!(value instanceof Uint8Array)) return String(value);
  const bytes = Buffer.from(value);
  const at = bytes.indexOf(zstdMagic);
  return bytes.toString('latin1') + (at === -1 ? '' : zstdDecompressSync(bytes.subarray(at)).toString('utf8'));
}

/** Every value of a journal as text, compressed ones unpacked. */
function valuesIn(file: string): string[] {
  using database = new DatabaseSync(file, { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  return tables.flatMap(({ name }) =>
    database
      .prepare(`SELECT * FROM "${String(name)}"`)
      .all()
      .flatMap((row) => Object.values(row).map(textOf)),
  );
}

/** Names and bytes of all files below a folder, and the values of journals among them. */
export async function writtenIn(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'latin1')));
  const journals = files.filter((file) => file.endsWith('.db') && !file.includes('lock'));
  return [...files.map((file) => relative(folder, file)), ...texts, ...journals.flatMap(valuesIn)].join('\n');
}
