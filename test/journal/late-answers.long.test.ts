import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { Journal } from '../../src/journal/index.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, postgresUrl, temporarySchema } from '../postgres.ts';
import { openByteProxy } from './byte-proxy.ts';
import { sink, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const leaseMs = 5000;
const names = Array.from({ length: 6 }, (_none, index) => `s${index}`);

const owned = ({ ownership }: Journal): string[] => names.filter((name) => ownership.owns(name));

/** Two replicas on one schema; what `late` is told passes a proxy. `wrong`: what neither may say at any look. */
async function scene() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const proxy = await openByteProxy(url);
  const closing: Journal[] = [];
  // First the journals, then what they speak through.
  onTestFinished(async () => {
    proxy.letGo();
    for (const journal of closing) await journal[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
  const wrong = new Set<string>();
  const look = (): void => {
    for (const name of names)
      if (closing.filter(({ ownership }) => ownership.owns(name)).length > 1) wrong.add(`${name} is owned twice`);
  };
  const looking = setInterval(look, 2);
  onTestFinished(() => clearInterval(looking));
  const open = async (name: string): Promise<Journal> => {
    const engine = { ...postgresEngine(name === 'late' ? proxy.url : url, schema, name), leaseMs };
    const options = { maxBytes: 16 * 1024 * 1024, keepMs: 7 * 86_400_000, seams: systemSeams(), log: silentLog(), lockWaitMs: 0 };
    const journal = await openPostgres(engine, { engine, ...options });
    closing.push(journal);
    // What a loop does on news is done before anything else.
    const gained = (sources: readonly string[]): void => {
      look();
      for (const one of sources) if (!journal.ownership.owns(one)) wrong.add(`${one} was gained and is not owned`);
    };
    journal.ownership.watch({ gained, lost: look });
    await journal.register(
      names.map((one) => source(one)),
      [sink('a')],
    );
    return journal;
  };
  const close = async (journal: Journal): Promise<void> => {
    closing.splice(closing.indexOf(journal), 1);
    await journal[Symbol.asyncDispose]();
  };
  return { proxy, open, close, wrong };
}

describe.runIf(hasPostgres())('a replica whose answers come late', () => {
  it.each([
    ['that it lives', /AS alive/],
    ['that its heartbeat is written', /UPDATE .*\.members SET expires/],
  ])('owns nothing by the answer %s, once another has taken over', async (_what, statement) => {
    const { proxy, open, wrong } = await scene();
    const late = await open('late');
    expect(owned(late)).toEqual(names);

    proxy.holdFrom(statement);
    const other = await open('other');
    await expect.poll(() => owned(other)).toEqual(names);
    const whileHeld = owned(late);
    proxy.letGo();
    await expect.poll(() => [owned(late).length, owned(other).length]).toEqual([3, 3]);

    expect([whileHeld, [...wrong]]).toEqual([[], []]);
  });

  it.each([
    ['of what it claimed', [/FOR UPDATE OF u SKIP LOCKED/]],
    ['of what it owns', [/AS "isOthers"/]],
    ['that its claim is committed', [/AS "isOthers"/, /COMMIT/]],
  ])('owns nothing by the answer %s, once another has taken over', async (_what, statements) => {
    const { proxy, open, close, wrong } = await scene();
    const first = await open('first');
    const late = await open('late');
    await expect.poll(() => [owned(first).length, owned(late).length]).toEqual([3, 3]);

    // It takes what the first gives back.
    proxy.holdFrom(...statements);
    await close(first);
    await expect.poll(() => proxy.isHolding).toBe(true);
    const other = await open('other');
    await expect.poll(() => owned(other)).toEqual(names);
    const whileHeld = owned(late);
    proxy.letGo();
    await expect.poll(() => [owned(late).length, owned(other).length]).toEqual([3, 3]);

    expect([whileHeld, [...wrong]]).toEqual([[], []]);
  });

  it.each([
    ['to its joining', /INSERT INTO .*\.members/],
    ['to its registration', /INSERT INTO .*\.registrations/],
  ])('owns nothing by the answer %s anew that came after it was a member no more', async (_what, statement) => {
    const { proxy, open, wrong } = await scene();
    const late = await open('late');
    proxy.holdFrom(/AS alive/);
    const other = await open('other');
    await expect.poll(() => owned(other)).toEqual(names);

    proxy.letGo();
    proxy.holdFrom(statement);
    await expect.poll(() => proxy.isHolding).toBe(true);
    const living = async () => (await other.ownership.replicas())?.map(({ name }) => name);
    await expect.poll(async () => [await living(), owned(other)]).toEqual([['other'], names]);
    const whileHeld = owned(late);
    proxy.letGo();
    await expect.poll(() => [owned(late).length, owned(other).length]).toEqual([3, 3]);

    expect([whileHeld, [...wrong]]).toEqual([[], []]);
  });
});
