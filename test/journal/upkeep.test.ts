import { Client } from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hastyClock } from '../hasty-clock.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { journalOptions, sink, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

/** A journal in PostgreSQL whose upkeep comes soon. */
async function openHasty() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const engine = postgresEngine(url, schema);
  const seams = { ...systemSeams(), clock: hastyClock(5) };
  const journal = await openPostgres(engine, { ...journalOptions(''), engine, seams, log: silentLog() });
  return { url, schema, journal, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
}

it.runIf(hasPostgres())('goes through the sinks for what is marked wrongly, and through no list of sources', async () => {
  await using hasty = await openHasty();
  const { url, schema, journal } = hasty;
  await journal.register([source('s')], [sink('a')]);
  const sql = (text: string) =>
    onServer(url, async (client) => (await client.query(text.replaceAll('{s}', schema))).rows as Record<string, unknown>[]);
  const marks = async (kind: string) => (await sql(`SELECT configured FROM {s}.${kind}`))[0]?.['configured'];

  // A count that is used up is swept in the next round, after that round has looked at the marks.
  await sql(`BEGIN; UPDATE {s}.sources SET configured = false;
    INSERT INTO {s}.letter_counts (sink, source, code, action, letters) VALUES (1, 1, 'x', '', 0); COMMIT`);
  await expect.poll(() => sql('SELECT 1 FROM {s}.letter_counts')).toEqual([]);
  const ofSource = await marks('sources');
  await sql('UPDATE {s}.sinks SET configured = false');

  await expect.poll(() => marks('sinks')).toBe(true);
  expect(ofSource).toBe(false);
});

it.runIf(hasPostgres())('takes over from a replica that died before the clock of the server was set back', async () => {
  await using hasty = await openHasty();
  const { url, schema, journal } = hasty;
  await journal.register([source('s')], [sink('a')]);
  await onServer(url, (client) =>
    client.query(`INSERT INTO ${schema}.members (id, name, expires, host, version) VALUES ('two~1', 'two', now() + interval '3 hours', 'h', '1');
      UPDATE ${schema}.units SET owner = 'two~1', epoch = epoch + 1 WHERE name = 's'`),
  );

  await expect.poll(() => journal.ownership.owns('s')).toBe(false);
  await expect.poll(() => journal.ownership.owns('s'), { timeout: 30_000 }).toBe(true);
});

it.runIf(hasPostgres())('goes through lanes and days for what is old with one round in six', async () => {
  const url = (await postgresUrl()) ?? '';
  const engine = postgresEngine(url, temporarySchema(url));
  const asked = vi.spyOn(Client.prototype, 'query');
  onTestFinished(() => asked.mockRestore());
  await using journal = await openPostgres(engine, { ...journalOptions(''), engine });
  const looks = () =>
    (asked.mock.calls as unknown as [string, unknown[]?][])
      .filter(([text]) => text.includes('d.touched <'))
      .map(([, values]) => values?.[2]);

  // There is a round at the start and with each registration.
  for (let rounds = 1; rounds < 14; rounds += 1) {
    await expect.poll(() => looks().length).toBeGreaterThanOrEqual(rounds);
    await journal.register([source('s')], [sink('a')]);
  }

  expect(looks().slice(0, 13)).toEqual(Array.from({ length: 13 }, (_none, round) => round % 6 === 0));
});
