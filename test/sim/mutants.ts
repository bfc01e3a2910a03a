// Breaks a copy of the code in ways that cost events, and shows that the simulation notices. A mutant that nothing notices is a hole in the
// oracle; one that cannot be applied any more has to follow the code.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** One fault in the code: what stands exactly once in a file, and what comes in its place; `elsewhere` where the fault takes several files. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly edits: Edits;
  readonly elsewhere?: Readonly<Record<string, Edits>>;
}

type Edits = readonly (readonly [found: string | RegExp, instead: string])[];

const appendOfPage = '    await untilAnswered(() => journal.append(commit), seams, answerWithinMs);';
export const mutants: readonly Mutant[] = [
  {
    name: 'no sync at all',
    file: 'src/journal/sqlite/file/database.ts',
    edits: [
      ['PRAGMA synchronous = FULL', 'PRAGMA synchronous = OFF'],
      ["'wal,2,2'", "'wal,0,2'"],
    ],
  },
  {
    name: 'no sync per commit',
    file: 'src/journal/sqlite/file/database.ts',
    edits: [
      ['PRAGMA synchronous = FULL', 'PRAGMA synchronous = NORMAL'],
      ["'wal,2,2'", "'wal,1,2'"],
    ],
  },
  {
    name: 'cursor committed before the append',
    file: 'src/collect/admit.ts',
    edits: [
      [
        appendOfPage,
        `    if (isLast && place.checkpoint !== undefined) await journal.append({ source: settings.name, checkpoint: place.checkpoint });\n${appendOfPage}`,
      ],
    ],
  },
  {
    name: 'log read on from now when its cursor is lost',
    file: 'src/collect/cursor/begin.ts',
    edits: [['live.newest === undefined ? live.start : Math.min(live.newest, live.until) - settings.window.overlapMs', 'now']],
  },
  {
    name: 'ids remembered before the append',
    file: 'src/collect/admit.ts',
    edits: [[appendOfPage, `    await journal.append({ source: settings.name, seen: sorted.seen });\n${appendOfPage}`]],
  },
  {
    name: 'attempt of an append made anew when it is asked for again',
    file: 'src/collect/admit.ts',
    edits: [['journal.append(commit)', 'journal.append({ ...commit, attempt: uuid(seams.random) })']],
  },
  {
    name: 'attempt of a settle made anew when it is asked for again',
    file: 'src/deliver/settle.ts',
    edits: [['this.#attempts.get(settlement) ?? uuid(', 'uuid(']],
  },
  {
    name: 'error of an append swallowed',
    file: 'src/collect/admit.ts',
    edits: [[appendOfPage, appendOfPage.replace(';', '.catch(() => undefined);')]],
  },
  {
    name: 'error of a commit swallowed',
    file: 'src/journal/sqlite/file/writer.ts',
    edits: [
      [
        "change.failed(full && change.urgency === 'append' ? diskFullError(path, error) : storageError(error, path));",
        'change.done(undefined);',
      ],
    ],
  },
  {
    name: 'offset moved before the acknowledgement',
    file: 'src/deliver/send.ts',
    edits: [
      [
        '      let answer = await attempt(context, batch, endpoint, use, isProbe);',
        "      apply(context, batch, decide({ all: { kind: 'accept' } }, batch.size));\n      let answer = await attempt(context, batch, endpoint, use, isProbe);",
      ],
    ],
  },
  {
    name: 'error of a send swallowed',
    file: 'src/deliver/exchange.ts',
    edits: [['return { all: verdictOf(error) };', "return { all: { kind: 'accept' } };"]],
  },
  {
    name: 'time-out of a send taken for an answer',
    file: 'src/deliver/exchange.ts',
    edits: [["resolve({ all: { kind: 'uncertain', reason } })", "resolve({ all: { kind: 'accept' } })"]],
  },
  {
    name: 'a retry that changes the bytes of its batch',
    file: 'src/deliver/batch.ts',
    edits: [
      [
        'encoded: this.#encoded, endpoint',
        'encoded: attempts > 1 ? Encoded.of(this.#encoded.texts().map((text) => `${text} `)) : this.#encoded, endpoint',
      ],
    ],
  },
  {
    name: 'days of ids forgotten',
    file: 'src/journal/sqlite/records/seen.ts',
    edits: [['const bucket = day === noTime ? today : day;', 'const bucket = day === noTime ? today : 0;']],
  },
  {
    name: 'ids in blocks never looked up',
    file: 'src/journal/sqlite/records/seen.ts',
    edits: [['const found = blocks.find(source, day, ids);', 'const found: [number, string][] = [];']],
  },
  {
    name: 'blocks of ids deleted before they are moved',
    file: 'src/journal/sqlite/records/id-blocks.ts',
    edits: [
      ['const mostHot = 500_000;', 'const mostHot = 0;'],
      [/( {4}const rows = nearlySorted)/, '    await writer.write(() => void remove.run(source, day, last));\n$1'],
    ],
  },
  {
    name: 'letters taken out when they are refused once more',
    file: 'src/deliver/lane.ts',
    edits: [
      [
        '    sum.newLetters += letter === undefined ? 1 : 0;',
        '    sum.newLetters += letter === undefined ? 1 : 0;\n    if (letter !== undefined) sum.resolved.push(letter);',
      ],
    ],
  },
  {
    name: 'error of a settle swallowed',
    file: 'src/deliver/settle.ts',
    edits: [['      return this.#onFailed(lane, error);', '      void error;']],
  },
  {
    name: 'duplicates told by id alone',
    file: 'src/collect/admit.ts',
    edits: [['if (fingerprints.has(facts.fingerprint)) {', 'if (fingerprints.size > 0) {']],
  },
  {
    name: 'duplicates not told at all',
    file: 'src/collect/admit.ts',
    edits: [['if (fingerprints.has(facts.fingerprint)) {', 'if (context.counts.fetched < 0) {']],
  },
  {
    name: 'dead letters written after the offset',
    file: 'src/journal/sqlite/delivery/offsets.ts',
    edits: [
      [
        'for (const letter of newLetters) letters.insert(sink, source, letter, true);',
        'if (newLetters.length > 0) setImmediate(() => void core.writer.write(() => newLetters.forEach((letter) => letters.insert(sink, source, letter, true))));',
      ],
    ],
  },
  {
    name: 'cursor in a transaction of its own',
    file: 'src/journal/sqlite/records/append.ts',
    edits: [
      [
        '    const before = await core.writer.write(() => {',
        "    const { page: _page, window: _window, ...cursor } = commit;\n    await core.writer.write(() => apply(cursor, []), 'append');\n    const before = await core.writer.write(() => {",
      ],
    ],
  },
  {
    name: 'messages acknowledged before they are committed',
    file: 'src/collect/stream/poll.ts',
    edits: [
      [
        'live = await untilCommitted(context, messages, live, hours, halt.soft);',
        'void untilCommitted(context, messages, live, hours, halt.soft).catch(() => undefined);',
      ],
    ],
  },
  {
    name: 'no overlap',
    file: 'src/collect/windows/poll.ts',
    edits: [['from: Math.max(start, Math.min(from ?? until, until - overlapOf(context))),', 'from: until,']],
  },
  {
    name: 'ages told by the wall clock',
    file: 'src/journal/sqlite/file/journal-time.ts',
    edits: [
      ['return Math.floor(this.#startedAt + this.#clock.monotonic() - this.#monotonicAtStart);', 'return this.#clock.now();'],
    ],
  },
  {
    name: 'ages told by the wall clock, and a start that refuses what they leave',
    file: 'src/journal/sqlite/file/journal-time.ts',
    edits: [
      ['return Math.floor(this.#startedAt + this.#clock.monotonic() - this.#monotonicAtStart);', 'return this.#clock.now();'],
    ],
    elsewhere: {
      'src/journal/sqlite/upkeep/trim.ts': [
        [
          /AND first <= \(SELECT max\(first\) FROM \(SELECT first, received_last FROM pages[^)]*\) WHERE received_last < \?4\)/,
          'AND received_last < ?4',
        ],
      ],
      'src/journal/sqlite/repair/check.ts': [
        [
          '    if (expected > last) return [];',
          "    const ends = all<{ first: number; count: number }>(runs, source, kind, 0).map(({ first, count }) => first + count - 1);\n    if (expected > last) return ends.length > 0 && Math.max(...ends) !== last ? ['counts differ'] : [];",
        ],
      ],
    },
  },
  {
    name: 'a probe that asks with the refused event again',
    file: 'src/deliver/send.ts',
    edits: [
      [
        "batch.standsBack = isProbe && applied.hold?.kind === 'systematic' && applied.delivered === 0;",
        'batch.standsBack = false;',
      ],
    ],
  },
  {
    name: 'a retry that waits for letters that are gone',
    file: 'src/journal/sqlite/delivery/replays.ts',
    edits: [['if (replay.after >= after) await', 'if (replay.after > after) await']],
  },
  {
    name: 'taken events of a partly refused batch are sent again',
    file: 'src/deliver/decide.ts',
    edits: [
      ['      sorted.acknowledged.push(index);\n', '      sorted.acknowledged.push(index);\n      sorted.later.push(index);\n'],
    ],
  },
  {
    name: 'an event is given up in an outage',
    file: 'src/deliver/narrow.ts',
    edits: [
      ['  if (batch.lonelyFailures > 0 && !counts) return decision;\n', ''],
      ['batch.isConspicuous && isCause(context, batch, batch.lonelyFailures);', 'batch.lonelyFailures >= 3;'],
    ],
  },
  {
    name: 'a flaky receiver is not told from a bad event',
    file: 'src/deliver/narrow.ts',
    edits: [['isCause(context, batch, batch.lonelyFailures);', 'batch.lonelyFailures >= 2;']],
  },
  {
    name: 'a page committed with the place behind the next one',
    file: 'src/collect/windows/poll.ts',
    edits: [
      [
        'const next = after(context, live, page);',
        "const next = after(context, live, { ...page, next: undefined, end: 'complete' });",
      ],
    ],
  },
];

export interface MutantOptions {
  readonly only?: string | undefined;
  readonly say: (text: string) => void;
  readonly seeds?: string;
  readonly hours?: number;
  readonly atOnce?: number;
}

/** What the simulation said of a mutant. */
export interface MutantVerdict {
  readonly mutant: Mutant;
  readonly caught: boolean;
  /** The line that names the seed, and the first broken promise. */
  readonly how: string;
}

const root = resolve(import.meta.dirname, '../..');

/** Makes a copy of the code with the fault in it. */
function infect({ file, edits, elsewhere }: Mutant): string {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-mutant-'));
  for (const part of ['src', 'connectors', 'test/sim', 'scripts/sim.ts', 'package.json'])
    cpSync(join(root, part), join(dir, part), { recursive: true });
  mkdirSync(dir, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  for (const [path, own] of Object.entries({ [file]: edits, ...elsewhere })) infectFile(dir, path, own);
  return dir;
}

/** The text of a file with the fault in it; throws where what is to be replaced does not stand there exactly once. */
function infected(text: string, file: string, edits: Edits): string {
  let changed = text;
  for (const [found, instead] of edits) {
    const pattern =
      typeof found === 'string' ? new RegExp(found.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'g') : new RegExp(found.source, 'g');
    const times = changed.match(pattern)?.length ?? 0;
    if (times !== 1) throw new Error(`${file} holds what is to be replaced ${times} times: the mutant has to follow the code`);
    changed = typeof found === 'string' ? changed.replace(found, () => instead) : changed.replace(found, instead);
  }
  return changed;
}

function infectFile(dir: string, file: string, edits: Edits): void {
  const path = join(dir, file);
  writeFileSync(path, infected(readFileSync(path, 'utf8'), file, edits));
}

/** Throws where the fault cannot be put into the code as it is. */
export function checkApplies({ file, edits, elsewhere }: Mutant): void {
  for (const [path, own] of Object.entries({ [file]: edits, ...elsewhere }))
    infected(readFileSync(join(root, path), 'utf8'), path, own);
}

function simulate(dir: string, seeds: string, hours: number): Promise<string> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    'scripts/sim.ts',
    '--seeds',
    seeds,
    '--hours',
    String(hours),
    '--no-shrink',
    '--fixed',
    '--small',
    '--until-broken',
  ];
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', failed);
    child.on('close', () => done(output));
  });
}

/** Runs the simulation against one mutant. */
export async function tryMutant(mutant: Mutant, seeds: string, hours: number): Promise<MutantVerdict> {
  const dir = infect(mutant);
  try {
    const lines = (await simulate(dir, seeds, hours)).split('\n');
    const at = lines.findIndex((line) => line.includes('BROKE'));
    if (at >= 0) return { mutant, caught: true, how: `${lines[at]?.split(';')[0]}: ${lines[at + 1]?.trim().slice(25, 160)}` };
    return { mutant, caught: false, how: lines.slice(-4).join(' ').slice(0, 400) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Tries every mutant; true when all were caught. */
export async function runMutants({ only = '', say, seeds = '1-40', hours = 6, atOnce = 3 }: MutantOptions): Promise<boolean> {
  const waiting = mutants.filter(({ name }) => name.includes(only));
  const verdicts: MutantVerdict[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const one = mutant;
      const verdict = await tryMutant(one, seeds, hours).catch((error: unknown) => ({
        mutant: one,
        caught: false,
        how: String(error),
      }));
      verdicts.push(verdict);
      say(`${verdict.caught ? 'caught' : 'NOT CAUGHT'}: ${mutant.name} (${verdict.how})`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const missed = verdicts.filter(({ caught }) => !caught);
  say(`${verdicts.length - missed.length} of ${verdicts.length} mutants caught`);
  return missed.length === 0;
}
