import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { PostgresEngine } from '../../src/journal/contract/open.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { missingRights } from '../../src/journal/postgres/rights.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { sink, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

/** A role that may do nothing yet, and a schema that is not there yet. */
async function poorRole() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const role = `role_${randomBytes(6).toString('hex')}`;
  const sql = (text: string): Promise<unknown> => onServer(url, (client) => client.query(text));
  await sql(`CREATE ROLE ${role} LOGIN`);
  onTestFinished(async () => void (await sql(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`)));
  const engine = postgresEngine(url.replace('//penstock@', `//${role}@`), schema);
  return { engine, role, schema, sql };
}

const options = { maxBytes: 2 ** 24, keepMs: 86_400_000, seams: systemSeams(), log: silentLog(), lockWaitMs: 0 };
const open = (engine: PostgresEngine) => openPostgres(engine, { engine, ...options });

describe.runIf(hasPostgres())('a role of the database', () => {
  it('that may make no schema is told so before a replica starts, and needs none where one was made for it', async () => {
    const { engine, role, schema, sql } = await poorRole();

    const before = await missingRights(engine);
    await sql(`CREATE SCHEMA ${schema}; GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    const between = await missingRights(engine);
    await sql(`GRANT CREATE ON SCHEMA ${schema} TO ${role}`);
    const after = await missingRights(engine);
    await using journal = await open(engine);
    await journal.register([source('s')], [sink('out')]);

    expect(before).toEqual([`CREATE on the database, or a schema "${schema}" that it may use`]);
    expect(between).toEqual([`CREATE on schema "${schema}"`]);
    expect(after).toEqual([]);
    expect(Object.keys((await journal.ledger()).sources)).toEqual(['s']);
  });

  it('that lost a right on some tables is told which', async () => {
    const { engine, role, schema, sql } = await poorRole();
    await sql(`CREATE SCHEMA ${schema} AUTHORIZATION ${role}`);
    await (await open(engine))[Symbol.asyncDispose]();

    await sql(`ALTER TABLE ${schema}.pages OWNER TO penstock; REVOKE INSERT, DELETE ON ${schema}.units FROM ${role}`);

    expect(await missingRights(engine)).toEqual([
      'DELETE, INSERT, SELECT, UPDATE on table pages',
      'DELETE, INSERT on table units',
    ]);
  });
});
