// Commits without records of many sources, which go to the database together.
import { Client } from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type Commit, type Journal, openJournal } from '../../src/journal/index.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { commitOf, quietCommit, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const dayMs = 86_400_000;
const names = Array.from({ length: 12 }, (_none, index) => `s${index}`);

/** A replica that owns all sources; `sql` speaks to the database beside it, `commits` are the statements of commits since the last look. */
async function replica() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const engine = postgresEngine(url, schema);
  const journal = await openJournal({ engine, maxBytes: 2 ** 30, keepMs: 1e9, seams: systemSeams(), log: silentLog() });
  onTestFinished(() => journal[Symbol.asyncDispose]());
  await journal.register(
    names.map((name) => source(name)),
    [sink('a')],
  );
  const on = <T>(use: (client: Client, s: string) => Promise<T>) => onServer(url, (client) => use(client, schema));
  const asked = vi.spyOn(Client.prototype, 'query');
  onTestFinished(() => asked.mockRestore());
  const commits = (): number => {
    const texts = asked.mock.calls.map(([text]) => text).filter((text) => text.includes('counted AS'));
    asked.mockClear();
    return texts.length;
  };
  // Where they stand is known from here on.
  for (const name of names) await journal.append(quietCommit(name));
  commits();
  return { journal, on, commits };
}

const appendAll = (journal: Journal, commits: readonly Commit[]) =>
  Promise.allSettled(commits.map((commit) => journal.append(commit)));

describe.runIf(hasPostgres())('commits without records', () => {
  it('are one statement for sources that end their polls at the same time, with all that each of them leaves', async () => {
    const { journal, on, commits } = await replica();
    await journal.append({
      ...commitOf('s3', someRecords(1)),
      seen: [{ day: 0, id: 'ab'.repeat(16), fingerprint: 'cd'.repeat(8) }],
    });
    await on((client, s) => client.query(`UPDATE ${s}.seen_days SET touched = 1`));
    await journal.seen('s3', [{ day: 0, id: 'ab'.repeat(16) }]);
    commits();

    await appendAll(
      journal,
      names.map((name, met) => ({ ...quietCommit(name, met), notes: { requests: { met, text: `"${name}", {}\\` } } })),
    );

    expect(commits()).toBe(1);
    const { sources } = await journal.ledger();
    for (const [met, name] of names.entries()) {
      expect(sources[name]).toMatchObject({ duplicate: met });
      expect(await journal.checkpoint(name, 'live')).toEqual({ met });
      expect(await journal.note(name, 'requests')).toEqual({ met, text: `"${name}", {}\\` });
      expect(await journal.windows(name, 0, 1000)).toMatchObject([
        { key: 'w1', from: 0, to: 1000, duplicate: met, complete: true },
      ]);
    }
    expect(await on(async (client, s) => (await client.query(`SELECT 1 FROM ${s}.seen_days WHERE touched = 1`)).rowCount)).toBe(
      0,
    );
  });

  it('touch the days of the window that is read, so that ids are not forgotten in the middle of it', async () => {
    const { journal, on } = await replica();
    const now = Date.now();
    const today = Math.floor(now / dayMs);
    const seen = [today - 1, today - 3].map((day) => ({ day, id: 'ab'.repeat(16), fingerprint: 'cd'.repeat(8) }));
    await journal.append({ ...commitOf('s3', someRecords(2)), seen });
    await on((client, s) => client.query(`UPDATE ${s}.seen_days SET touched = 1`));
    const window = { ...quietCommit('s3').window, from: now - dayMs, to: now } as NonNullable<Commit['window']>;

    await appendAll(journal, [{ ...quietCommit('s3'), window }, quietCommit('s4')]);

    const days = await on((client, s) => client.query(`SELECT day, touched > 1 AS touched FROM ${s}.seen_days ORDER BY day`));
    expect(days.rows).toEqual([
      { day: today - 3, touched: false },
      { day: today - 1, touched: true },
    ]);
  });

  it('are each held back by the fence of its own source', async () => {
    const { journal, on, commits } = await replica();
    await on((client, s) => client.query(`UPDATE ${s}.units SET epoch = epoch + 1 WHERE name = 's1'`));
    await on((client, s) => client.query(`UPDATE ${s}.units SET owner = 'other~1' WHERE name = 's2'`));

    const done = await appendAll(
      journal,
      names.map((name) => quietCommit(name, 7)),
    );

    expect(commits()).toBe(3);
    expect(done.map(({ status }) => status)).toEqual(
      names.map((name) => (['s1', 's2'].includes(name) ? 'rejected' : 'fulfilled')),
    );
    expect(done[1]).toMatchObject({ reason: { code: 'PEN_JOURNAL_FENCED' } });
    expect(await journal.checkpoint('s0', 'live')).toEqual({ met: 7 });
    for (const name of ['s1', 's2']) expect(await journal.checkpoint(name, 'live')).toEqual({ met: 0 });
  });

  it.each([
    'units WHERE name = $1',
    'lanes WHERE source = (SELECT id FROM {s}.sources WHERE name = $1)',
    'counters WHERE source = (SELECT id FROM {s}.sources WHERE name = $1)',
  ])('wait for no row of another source: %s', async (rows) => {
    const { journal, on, commits } = await replica();
    const done = new Set<string>();
    await on(async (client, s) => {
      await client.query('BEGIN');
      await client.query(`SELECT 1 FROM ${s}.${rows.replaceAll('{s}', s)} FOR UPDATE`, ['s1']);
      const all = names.map((name) => journal.append(quietCommit(name, 7)).then(() => done.add(name)));
      await Promise.all(all.filter((_one, index) => index !== 1));
      expect(done.has('s1')).toBe(false);
      await client.query('COMMIT');
      await all[1];
    });

    // One together, and its own, which waited.
    expect(commits()).toBe(2);
    expect(await journal.checkpoint('s1', 'live')).toEqual({ met: 7 });
  });

  it('go each its own way where the database refuses them together', async () => {
    const { journal, on } = await replica();
    const id = "(SELECT id FROM {s}.sources WHERE name = 's1')";
    await on((client, s) =>
      client.query(
        `DO $do$ BEGIN EXECUTE format('ALTER TABLE ${s}.windows ADD CHECK (source <> %s OR fetched < 7)', ${id.replaceAll('{s}', s)}); END $do$`,
      ),
    );

    const done = await appendAll(
      journal,
      names.map((name) => quietCommit(name, 7)),
    );

    expect(done.flatMap(({ status }, index) => (status === 'rejected' ? [names[index]] : []))).toEqual(['s1']);
    expect(await journal.checkpoint('s0', 'live')).toEqual({ met: 7 });
  });

  it('wait a moment for those of others where there were others, and are some statements a second then', async () => {
    const { journal, commits } = await replica();
    await appendAll(
      journal,
      names.map((name) => quietCommit(name)),
    );
    commits();

    // As of twelve sources that are polled ten times in half a second, one after the other.
    const under: Promise<void>[] = [];
    const begun = performance.now();
    for (let poll = 0; poll < 120; poll += 1) {
      under.push(journal.append(quietCommit(names[poll % names.length] ?? '', 1)));
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    await Promise.all(under);

    // A machine that takes longer for these polls has more seconds, and so more statements.
    const seconds = (performance.now() - begun) / 1000;
    expect(commits()).toBeLessThan(Math.max(30, 45 * seconds));
    expect((await journal.ledger()).sources['s0']).toMatchObject({ duplicate: 10 });
  });
});
