import { describe, expect, it } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { journalOptions } from './fixture.ts';
import { postgresEngine } from './places.ts';

/** A database on which replicas come, and after a life that ends without a word. */
async function world() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const join = (name: string): Promise<Journal> => {
    const engine = postgresEngine(url, schema, name);
    return openPostgres(engine, { ...journalOptions(''), engine });
  };
  const dies = (name: string, ago: string, sinks: readonly string[] = []) =>
    onServer(url, async (client) => {
      const id = `${name}~${ago}`;
      await client.query(
        `INSERT INTO ${schema}.members (id, name, expires, seen, host, version) VALUES ($1, $2, now() - $3::interval, now() - $3::interval, 'h', '1')`,
        [id, name, ago],
      );
      await client.query(
        `INSERT INTO ${schema}.registrations (member, kind, name) SELECT $1, 'sink', s FROM unnest($2::text[]) AS s`,
        [id, sinks],
      );
    });
  return { join, dies };
}

const namesMissing = async ({ ownership }: Journal): Promise<string[]> =>
  ((await ownership.missing?.()) ?? []).map(({ name }) => name);

describe.runIf(hasPostgres())('a replica that was not heard of any more', () => {
  it('is missing until one of its name joins, or one that was not there takes its place, the longest missing first', async () => {
    const { join, dies } = await world();
    await using one = await join('one');
    await dies('two', '1 minute');
    await dies('three', '3 minutes');
    await dies('four', '2 minutes');

    const before = await one.ownership.missing?.();
    await using _two = await join('two');
    const afterTwo = await namesMissing(one);
    await using _new = await join('new');
    const afterNew = await namesMissing(one);

    expect(before?.map(({ name, lastSeen }) => [name, Math.round((Date.now() - lastSeen) / 60_000)])).toEqual([
      ['four', 2],
      ['three', 3],
      ['two', 1],
    ]);
    expect([afterTwo, afterNew]).toEqual([['four', 'three'], ['four']]);
  });

  it('stays missing where another one that was there leaves and comes back', async () => {
    const { join, dies } = await world();
    await using one = await join('one');
    const two = await join('two');
    await dies('three', '1 minute');

    await two[Symbol.asyncDispose]();
    const withoutTwo = await namesMissing(one);
    await using _two = await join('two');

    expect([withoutTwo, await namesMissing(one)]).toEqual([['three'], ['three']]);
  });

  it('tells which sinks it was configured with', async () => {
    const { join, dies } = await world();
    await using one = await join('one');
    await dies('two', '1 minute', ['lake', 'soc']);
    await dies('three', '2 minutes');

    expect((await one.ownership.missing?.())?.map(({ name, sinks }) => [name, sinks])).toEqual([
      ['three', []],
      ['two', ['lake', 'soc']],
    ]);
  });

  it('is forgotten after a day', async () => {
    const { join, dies } = await world();
    await using one = await join('one');
    await dies('two', '23 hours');
    await dies('three', '25 hours');

    expect(await namesMissing(one)).toEqual(['two']);
  });
});
