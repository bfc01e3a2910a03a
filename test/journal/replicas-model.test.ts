// Three replicas on one journal in PostgreSQL, in every order that chance finds: answers get lost, replicas are held up beyond their lease and
// come back late, die, begin anew, hand over, and their wall clocks jump. What each believes it does is written down and held against what is stored.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import type { Commit, Journal, Lane, LaneState, NewPage, Position } from '../../src/journal/index.ts';
import { newAttempt } from '../../src/journal/postgres/database.ts';
import type { Membership } from '../../src/journal/postgres/membership.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const sources = ['s', 't', 'u'] as const;
const perPage = 5;
const crew = 3;

/** What one of the replicas does; two that stand together are begun at the same time. */
const steps = [
  'tick',
  'append',
  'append, answer lost',
  'append again',
  'send',
  'settle',
  'settle, answer lost',
  'expire',
  'kill',
  'step',
] as const;
type Step = readonly [what: (typeof steps)[number], replica: number, source: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('append' as const, 'send' as const, 'settle' as const) },
    { weight: 4, arbitrary: fc.constantFrom('tick' as const, 'expire' as const) },
    {
      weight: 3,
      arbitrary: fc.constantFrom('append, answer lost' as const, 'append again' as const, 'settle, answer lost' as const),
    },
    { weight: 1, arbitrary: fc.constantFrom('kill' as const, 'step' as const) },
  ),
  fc.nat(crew - 1),
  fc.nat(sources.length - 1),
);

/** Shorter than any heartbeat. */
const momentMs = 250;

/** A clock whose timers ring only where somebody waits for a moment: heartbeats are steps. */
function ownSeams(): { readonly seams: Seams; readonly jump: (ms: number) => void } {
  const seams = systemSeams();
  let jumped = 0;
  const clock = {
    now: () => seams.clock.now() + jumped,
    monotonic: () => seams.clock.monotonic(),
    timer: (ms: number, callback: () => void) =>
      ms <= momentMs ? seams.clock.timer(ms, callback) : { [Symbol.dispose]: () => undefined },
  };
  return { seams: { ...seams, clock }, jump: (ms) => void (jumped += ms) };
}

/** What a replica remembers between two steps, of each source. */
interface Memory {
  /** Pages of the walk under way; from the checkpoint when it begins. */
  page?: number;
  asked?: Commit;
  sent?: { readonly lane: LaneState; readonly attempt: string };
}

const isRefused = (error: unknown): boolean =>
  error instanceof PenstockError && ['PEN_JOURNAL_FENCED', 'PEN_INTERNAL'].includes(error.code);

interface Life {
  readonly name: string;
  readonly journal: Journal;
  readonly member: Membership;
  readonly memory: Map<string, Memory>;
  readonly jump: (ms: number) => void;
}

async function world() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const sql = (text: string, values: unknown[] = []) =>
    onServer(
      url,
      async (client) => (await client.query(text.replaceAll('{s}', schema), values)).rows as Record<string, unknown>[],
    );
  const journals: Journal[] = [];
  const sent = new Map<string, number>();
  const excused = new Set<string>();

  async function life(index: number): Promise<Life> {
    const name = `r${index}`;
    const { seams, jump } = ownSeams();
    const engine = { ...postgresEngine(url, schema, name), leaseMs: 60_000, connections: 2 };
    const journal = await openPostgres(engine, {
      engine,
      maxBytes: 2 ** 30,
      keepMs: 1e9,
      seams,
      log: silentLog(),
      lockWaitMs: 0,
    });
    journals.push(journal);
    const memory = new Map<string, Memory>();
    const forget = (lost: readonly string[]): void => {
      for (const each of lost) memory.delete(each);
    };
    await journal.register(
      sources.map((each) => source(each)),
      [sink('a')],
    );
    const born = { name, journal, memory, jump, member: journal.ownership as Membership };
    // What is under way is written before a source is given back, as the loops do.
    const releasing = async (going: readonly string[]): Promise<void> => {
      for (const each of going) await settle(born, each, false);
    };
    journal.ownership.watch({ gained: forget, lost: forget, releasing });
    return born;
  }
  const lives = await Promise.all(Array.from({ length: crew }, (_none, index) => life(index)));

  async function append(of: Life, name: string, how: 'append' | 'append, answer lost' | 'append again') {
    if (!of.journal.ownership.owns(name)) return;
    const mine = of.memory.get(name) ?? {};
    of.memory.set(name, mine);
    mine.page ??= Number((await of.journal.checkpoint(name, 'live')) ?? 0);
    if (how !== 'append again') mine.asked ??= pageOf(name, mine.page + 1);
    if (mine.asked === undefined) return;
    try {
      await of.journal.append(mine.asked);
      if (how === 'append, answer lost') return;
      mine.page += 1;
      delete mine.asked;
    } catch (error) {
      if (!isRefused(error)) throw error;
      of.memory.delete(name);
    }
  }

  async function send(of: Life, name: string) {
    if (!of.journal.ownership.owns(name) || of.memory.get(name)?.sent !== undefined) return;
    const [lane] = (await of.journal.lanes('a')).filter((each) => each.lane.source === name);
    if (lane === undefined) return;
    for (const { records } of await of.journal.read('a', lane.lane, lane.offset, lane.pending))
      for (const { uid } of records) sent.set(uid, (sent.get(uid) ?? 0) + 1);
    of.memory.set(name, { ...of.memory.get(name), sent: { lane, attempt: newAttempt() } });
    if (await isBeyondLease(of)) excuse(of.memory);
  }

  /** True for one that was held up: it may send until it hears of it, and so may who took over from it. */
  async function isBeyondLease({ member }: Life): Promise<boolean> {
    const lives = await sql('SELECT 1 FROM {s}.members WHERE id = $1 AND expires > now()', [member.id]);
    return lives.length === 0;
  }

  async function settle(of: Life, name: string, isLost: boolean) {
    const mine = of.memory.get(name);
    if (mine?.sent === undefined) return;
    const { lane, attempt } = mine.sent;
    try {
      await of.journal.settle(
        'a',
        lane.lane,
        (lane.offset + lane.pending) as Position,
        [],
        { acknowledged: lane.pending },
        [],
        attempt,
      );
      if (!isLost) delete mine.sent;
    } catch (error) {
      if (!isRefused(error)) throw error;
      of.memory.delete(name);
    }
  }

  const run = async ([what, replica, which]: Step): Promise<void> => {
    const of = lives[replica];
    const name = sources[which] ?? '';
    if (of === undefined) return;
    if (what === 'tick') await of.member.tick();
    if (what === 'append' || what === 'append, answer lost' || what === 'append again') await append(of, name, what);
    if (what === 'send') await send(of, name);
    if (what === 'settle' || what === 'settle, answer lost') await settle(of, name, what === 'settle, answer lost');
    if (what === 'step') of.jump(7_200_000);
    if (what === 'expire' || what === 'kill') excuse(of.memory);
    if (what === 'expire') await sql('UPDATE {s}.members SET expires = now() WHERE id = $1', [of.member.id]);
    if (what !== 'kill') return;
    await sql('UPDATE {s}.members SET expires = now() WHERE id = $1', [of.member.id]);
    lives[replica] = await life(replica);
  };

  /** What was sent and not settled by who was held up or died may be sent again. */
  function excuse(memory: ReadonlyMap<string, Memory>): void {
    for (const [name, { sent: under }] of memory)
      if (under !== undefined)
        for (let at = under.lane.offset + 1; at <= under.lane.offset + under.lane.pending; at += 1) excused.add(`${name}-${at}`);
  }

  return { lives, sql, run, sent, excused, close: () => Promise.all(journals.map((journal) => journal[Symbol.asyncDispose]())) };
}

/** Every other page has nothing new. */
const recordsUpTo = (page: number): number => Math.ceil(page / 2) * perPage;

/** The page of a vendor's log: which it is follows from the cursor alone. */
const pageOf = (name: string, page: number): Commit => {
  const before = recordsUpTo(page - 1);
  const records = someRecords(recordsUpTo(page) - before).map((record, index) => ({
    ...record,
    uid: `${name}-${before + index + 1}`,
  }));
  const { page: stored, ...rest } = commitOf(name, records);
  const found = records.length === 0 ? {} : { page: stored as NewPage };
  return { ...rest, ...found, checkpoint: { name: 'live', value: page }, attempt: newAttempt() };
};

/** Positions without a hole, each record once, the cursor where the last page is, and nothing settled that nobody sent. */
async function expectWhole({ lives, sent, excused, sql }: Awaited<ReturnType<typeof world>>): Promise<void> {
  const journal = lives[0]?.journal as Journal;
  for (const name of sources) {
    const lane: Lane = { kind: 'live', source: name };
    const stored = (await journal.read('a', lane, 0 as Position, 1e6)).flatMap(({ records }) => records.map(({ uid }) => uid));
    const pages = Number((await journal.checkpoint(name, 'live')) ?? 0);
    expect(stored).toEqual(Array.from({ length: recordsUpTo(pages) }, (_none, index) => `${name}-${index + 1}`));
    const [row] = await sql(
      'SELECT f.position::int AS at FROM {s}.offsets f JOIN {s}.sources o ON o.id = f.source WHERE o.name = $1 AND f.kind = 0',
      [name],
    );
    const settled = stored.slice(0, Number(row?.['at'] ?? 0));
    expect(settled.filter((uid) => !sent.has(uid))).toEqual([]);
  }
  const twice = [...sent].filter(([uid, times]) => times > 1 && !excused.has(uid));
  expect(twice).toEqual([]);
  const { rows } = await journal.ledger();
  expect(rows.every(isBalanced)).toBe(true);
}

/** Every replica does it with every source, one after the other; who does not own it does nothing. */
const all = (what: Step[0]): [Step][] =>
  Array.from({ length: crew }, (_replica, replica) => sources.map((_source, index): [Step] => [[what, replica, index]])).flat();

/** Played each time, before what chance finds. */
const known: Step[][][] = [
  [
    ...all('append, answer lost'),
    ...all('append again'),
    ...all('append'),
    ...all('append, answer lost'),
    ...all('append again'),
    ...all('append'),
  ],
  [
    ...all('append'),
    ...all('send'),
    ...all('tick'),
    ...all('tick'),
    ...all('send'),
    ...all('settle, answer lost'),
    ...all('settle'),
  ],
  // Replicas are held up, send before they hear of it, and another takes over.
  ...Array.from({ length: crew }, (_none, heir) => [
    ...all('tick'),
    ...all('tick'),
    ...all('append'),
    ...all('expire').filter(([[, replica]]) => replica !== heir),
    ...all('send').filter(([[, replica]]) => replica !== heir),
    [['kill', heir, 0] satisfies Step],
    ...all('send'),
    ...all('settle'),
  ]),
];

describe.runIf(hasPostgres())('three replicas, whatever happens to them', () => {
  it('store each record once, in order, and settle what was sent', async () => {
    const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 2 }), { minLength: 20, maxLength: 40 });
    const property = fc.asyncProperty(histories, async (history) => {
      const of = await world();
      try {
        for (const together of history) await Promise.all(together.map((each) => of.run(each)));
        await expectWhole(of);
      } finally {
        await of.close();
      }
    });

    await fc.assert(property, {
      numRuns: known.length + fewOrMany(1, 20),
      endOnFailure: true,
      examples: known.map((history) => [history]),
    });
  });
});
