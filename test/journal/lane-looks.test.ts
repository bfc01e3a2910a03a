// Which lanes a journal in PostgreSQL looks at when a sink asks what is pending.
import { Client } from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Journal, openJournal, type Position } from '../../src/journal/index.ts';
import { LaneLooks } from '../../src/journal/postgres/lane-looks.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { commitOf, journalOptions, quietCommit, seamsAt, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const minute = 60_000;

/** A look that finds what it finds pending. */
function lookAt(looks: LaneLooks, pending: readonly string[], now = 0) {
  const look = looks.begin(['a'], now);
  look.end(new Map([['a', pending]]));
  return look.sources;
}

describe('a look at lanes', () => {
  it('is at what was pending and at what was stored since, at all of it again after a minute', () => {
    const looks = new LaneLooks();
    const first = lookAt(looks, ['s1', 's2']);
    looks.ended('s3');

    expect([first, lookAt(looks, ['s2']), lookAt(looks, []), lookAt(looks, []), lookAt(looks, [], minute)]).toEqual([
      undefined,
      ['s1', 's2', 's3'],
      ['s2'],
      [],
      undefined,
    ]);
  });

  it('is also at a commit that ended during the one before', () => {
    const looks = new LaneLooks();
    lookAt(looks, []);
    const during = looks.begin(['a'], 0);
    looks.ended('s1');
    during.end(new Map());

    expect([during.sources, lookAt(looks, [])]).toEqual([[], ['s1']]);
  });

  it('takes nothing from one that began before all was forgotten, and is at all for a sink that has not looked', () => {
    const looks = new LaneLooks();
    lookAt(looks, []);
    const during = looks.begin(['a'], 0);
    looks.forget();
    during.end(new Map());

    const afterwards = lookAt(looks, []);
    expect([during.sources, afterwards, looks.begin(['a', 'b'], 0).sources]).toEqual([[], undefined, undefined]);
  });
});

describe.runIf(hasPostgres())('a journal in PostgreSQL', () => {
  async function opened() {
    const url = (await postgresUrl()) ?? '';
    const schema = temporarySchema(url);
    const seams = seamsAt(1_000_000);
    const journal = await openJournal(journalOptions('', { engine: postgresEngine(url, schema), seams }));
    await journal.register(
      ['s1', 's2', 's3'].map((name) => source(name)),
      [sink('a')],
    );
    const asked = vi.spyOn(Client.prototype, 'query');
    onTestFinished(() => asked.mockRestore());
    const looks = () =>
      (asked.mock.calls as unknown as [string, unknown[]?][])
        .filter(([text]) => text.includes('k.name AS sink'))
        .map(([, values]) => values?.[2]);
    const sql = (text: string) => onServer(url, (client) => client.query(text.replaceAll('{s}', schema)));
    return { journal, seams, looks, sql };
  }

  const pending = async (journal: Journal, name = 'a') =>
    (await journal.lanes(name)).map(({ lane, pending: count }) => `${lane.source} ${count}`).toSorted();

  it('looks only at lanes that may have something pending', async () => {
    const { journal, looks } = await opened();
    await using closing = journal;
    const found = [await pending(closing)];
    await closing.append(commitOf('s1', someRecords(2)));
    await closing.append(quietCommit('s2'));
    found.push(await pending(closing), await pending(closing));
    await closing.settle('a', { kind: 'live', source: 's1' }, 2 as Position, [], { acknowledged: 2 });
    found.push(await pending(closing), await pending(closing));

    expect(found).toEqual([[], ['s1 2'], ['s1 2'], [], []]);
    expect(looks()).toEqual([null, ['s1'], ['s1'], ['s1'], []]);
  });

  it('finds what a new sink has before it, and within a minute what the database forgot that was settled', async () => {
    const { journal, seams, sql } = await opened();
    await using closing = journal;
    await pending(closing);
    for (const name of ['s1', 's2']) {
      await closing.append(commitOf(name, someRecords(2)));
      await closing.settle('a', { kind: 'live', source: name }, 2 as Position, [], { acknowledged: 2 });
    }
    await pending(closing);

    await closing.register(
      ['s1', 's2', 's3'].map((name) => source(name)),
      [sink('a'), sink('b', 'oldest')],
    );
    const ofNew = [await pending(closing, 'b'), await pending(closing)];
    await sql('UPDATE {s}.offsets SET position = 1 WHERE sink = (SELECT id FROM {s}.sinks WHERE name = $$a$$) AND position = 2');
    seams.set(1_000_000 + minute);

    expect([...ofNew, await pending(closing)]).toEqual([['s1 2', 's2 2'], [], ['s1 1', 's2 1']]);
  });
});
