import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { expect, it } from 'vitest';
import { Database } from '../../src/journal/postgres/database.ts';
import { databaseError } from '../../src/journal/postgres/faults.ts';
import { hasPostgres, postgresUrl } from '../postgres.ts';
import { temporaryDirectory } from './fixture.ts';
import { postgresEngine } from './places.ts';

it.each([
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string'],
])('says that there is no password for "%s"', (said) => {
  expect(databaseError(new Error(said), 'db')).toMatchObject({
    code: 'PEN_JOURNAL_UNWRITABLE',
    message: expect.stringContaining('asks for a password, and there is none'),
    fix: expect.stringContaining('--password-file'),
  });
});

it.each([
  ['53300', 'sorry, too many clients already'],
  ['53300', 'too many connections for role "penstock"'],
  ['08P01', 'no more connections allowed (max_client_conn)'],
])('says who has to take more connections for %s: %s', (code, said) => {
  expect(databaseError(Object.assign(new DatabaseError(said, 7, 'error'), { code }), 'db')).toMatchObject({
    code: 'PEN_JOURNAL_UNAVAILABLE',
    message: expect.stringContaining('takes no further connection'),
    fix: expect.stringContaining('max_client_conn'),
  });
});

it.runIf(hasPostgres()).each(['password', 'ca'] as const)(
  'names the file of the %s that cannot be read, and not the server',
  async (what) => {
    const missing = join(await temporaryDirectory(), 'none');
    const engine = postgresEngine((await postgresUrl()) ?? '', 'none');
    const db = new Database({ ...engine, [what]: () => readFile(missing, 'utf8') });

    const asked = db.query('SELECT 1');

    await expect(asked).rejects.toMatchObject({
      code: 'PEN_JOURNAL_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`could not be read .*${missing}`)),
      fix: expect.stringContaining('see that the file is there'),
    });
    await db.close();
  },
);
