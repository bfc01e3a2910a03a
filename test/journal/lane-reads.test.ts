// What a journal in PostgreSQL reads of a lane beyond what was asked for.
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { Client } from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Journal, Lane, Position } from '../../src/journal/index.ts';
import { openJournal } from '../../src/journal/index.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, journalOptions, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const lane: Lane = { kind: 'live', source: 's' };
const at = (position: number): Position => position as Position;

/** A journal with a source and a sink, and SQL on its tables. */
async function opened() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const journal = await openJournal(journalOptions('', { engine: postgresEngine(url, schema), maxBytes: 2 ** 30 }));
  await journal.register([source('s')], [sink('a', 'oldest')]);
  const sql = (text: string) => onServer(url, (client) => client.query(text.replaceAll('{s}', schema)));
  return { journal, sql };
}

const uidsOf = async (journal: Journal, after: number, limit: number) =>
  (await journal.read('a', lane, at(after), limit)).flatMap(({ records, positions }) =>
    records.map(({ uid, record }, index) => ({ uid, record, position: positions[index] ?? at(0) })),
  );

/** Counts statements that read pages from here on. */
function countReads(): () => number {
  const asked = vi.spyOn(Client.prototype, 'query');
  onTestFinished(() => asked.mockRestore());
  return () => asked.mock.calls.filter(([text]) => text.includes('.pages WHERE source')).length;
}

/** Reads to the end of the lane, each time so many records. */
async function drain(journal: Journal, after: number, limits: readonly number[]): Promise<string[]> {
  const uids: string[] = [];
  let from = after;
  for (let turn = 0; ; turn += 1) {
    const found = await uidsOf(journal, from, limits[turn % limits.length] ?? 1);
    const last = found.at(-1);
    if (last === undefined) return uids;
    uids.push(...found.map(({ uid }) => uid));
    from = last.position;
  }
}

// Compressed they are of this size: more than goes into a statement with another, or with many others.
const body = (bytes: number): string => randomBytes(bytes).toString('base64');
const texts = { small: 'x', medium: body(300_000), large: body(2_500_000) };

interface Page {
  readonly count: number;
  readonly size: keyof typeof texts;
  readonly isTrimmed: boolean;
}

const page: fc.Arbitrary<Page> = fc.record({
  count: fc.integer({ min: 1, max: 5 }),
  size: fc.oneof({ weight: 12, arbitrary: fc.constant('small' as const) }, fc.constantFrom('medium', 'large')),
  isTrimmed: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
});

describe.runIf(hasPostgres())('reading a lane page after page', () => {
  it('asks the database for several pages at once, and no more often for pages that were read in part', async () => {
    const { journal } = await opened();
    await using closing = journal;
    for (let n = 0; n < 40; n += 1) await closing.append(commitOf('s', someRecords(5, { prefix: `p${n}-` })));
    const reads = countReads();

    const whole = await drain(journal, 0, [5]);
    const wholeReads = reads();
    await drain(journal, 0, [2]);
    await journal.read('a', lane, at(3), 2);
    const again = reads();
    await journal.read('a', lane, at(4), 2);

    expect(whole).toEqual(Array.from({ length: 200 }, (_none, n) => `p${Math.floor(n / 5)}-${(n % 5) + 1}`));
    expect(wholeReads).toBeLessThanOrEqual(6);
    expect(reads()).toBe(again);
  });

  it('reads every record that is left once and in order, whatever was trimmed and however large pages are', async () => {
    const { journal, sql } = await opened();
    await using closing = journal;
    let end = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(page, { minLength: 1, maxLength: 14 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
        fc.nat(4),
        async (pages, limits, skipped) => {
          const left: string[] = [];
          const begin = end;
          for (const { count, size, isTrimmed } of pages) {
            const records = someRecords(count, { prefix: `${end}-` }).map((one) => ({ ...one, record: texts[size] }));
            await closing.append(commitOf('s', records));
            if (isTrimmed) await sql(`DELETE FROM {s}.pages WHERE first = ${end + 1}`);
            else left.push(...records.slice(Math.max(0, begin + skipped - end)).map(({ uid }) => uid));
            end += count;
          }

          expect(await drain(journal, Math.min(end, begin + skipped), limits)).toEqual(left);
        },
      ),
      {
        numRuns: fewOrMany(8, 60),
        examples: [
          [
            [
              { count: 2, size: 'small', isTrimmed: false },
              { count: 1, size: 'small', isTrimmed: true },
              { count: 2, size: 'large', isTrimmed: false },
            ],
            [2],
            0,
          ],
        ],
      },
    );
  }, 120_000);

  it('sees what is appended behind the pages that it brought', async () => {
    const { journal } = await opened();
    await using closing = journal;
    const seen: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      await closing.append(commitOf('s', someRecords(1, { prefix: `p${n}-` })));
      if (n % 2 === 1) seen.push(...(await drain(journal, seen.length, [1])));
    }

    expect(seen).toEqual(['p0-1', 'p1-1', 'p2-1', 'p3-1', 'p4-1', 'p5-1']);
  });
});
