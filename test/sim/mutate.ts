// Puts a fault into a copy of the code, and shows that a history of the simulation or a test notices it.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** One fault in the code: what stands exactly once in a file, and what comes in its place; `elsewhere` where the fault takes several files. */
export interface Mutant {
  /** Says the fault. */
  readonly name: string;
  readonly file: string;
  readonly edits: Edits;
  readonly elsewhere?: Readonly<Record<string, Edits>>;
  readonly caughtBy: Catcher;
  /** What the test wants that not every machine has; without it the mutant is left out. */
  readonly needs?: 'postgres';
}

type Edits = readonly (readonly [found: string | RegExp, instead: string])[];

/**
 * What notices a mutant soonest. A history is a hint: seeds change their meaning with what `scenario.ts` draws, and where the hint notices
 * nothing, all histories are played. A test file is the only one that is asked.
 */
export type Catcher =
  | 'fixed'
  | 'small'
  | `replicas ${'struck' | 'jobs' | 'changes'}`
  | `seed ${number}`
  | `test/${string}.test.ts`;

/** What was said of a mutant. */
export interface MutantVerdict {
  readonly mutant: Mutant;
  /** `left out`: what it needs is not on this machine. */
  readonly outcome: 'caught' | 'missed' | 'left out';
  /** What noticed it, and the first broken promise or failed test; where nothing did, the last words of what was run. */
  readonly how: string;
  readonly seconds: number;
}

const root = resolve(import.meta.dirname, '../..');
/** What a mutant or a test of it may change or import; all else is linked. */
const copied = ['src', 'test', 'scripts', 'connectors', 'package.json', 'vitest.config.ts', 'tsconfig.json'];
const hidden = /^\.(git|bench)/;
const allHistories = ['--fixed', '--small', '--seeds', '1-40'];
/** A fault that makes something wait for ever is noticed, too. */
const mostMs = 300_000;
const endless = '\ndid not end';
const withoutPostgres = 'no PostgreSQL on this machine';

/** Makes a copy of the code with the fault in it. */
function infect({ file, edits, elsewhere }: Mutant): string {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-mutant-'));
  for (const part of readdirSync(root)) {
    if (copied.includes(part)) cpSync(join(root, part), join(dir, part), { recursive: true });
    else if (!hidden.test(part)) symlinkSync(join(root, part), join(dir, part));
  }
  for (const [path, own] of Object.entries({ [file]: edits, ...elsewhere })) {
    const inCopy = join(dir, path);
    writeFileSync(inCopy, infected(readFileSync(inCopy, 'utf8'), path, own));
  }
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

/** Throws where the fault cannot be put into the code as it is. */
export function checkApplies({ file, edits, elsewhere }: Mutant): void {
  for (const [path, own] of Object.entries({ [file]: edits, ...elsewhere }))
    infected(readFileSync(join(root, path), 'utf8'), path, own);
}

/** Runs a script of the copy with Node; gives all that it prints. */
function run(dir: string, args: readonly string[]): Promise<string> {
  // A test that runs this is not to be seen by the tests of the copy.
  const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV|TEST$)/.test(name));
  const env = { ...Object.fromEntries(own), NO_COLOR: '1' };
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      cwd: dir,
      env,
      timeout: mostMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', failed);
    child.on('close', (_code, signal) => done(signal === 'SIGKILL' ? output + endless : output));
  });
}

const lastWords = (output: string): string => output.trim().split('\n').slice(-4).join(' ').slice(-400);

type Noticed = Pick<MutantVerdict, 'outcome' | 'how'>;

async function play(dir: string, histories: readonly string[]): Promise<Noticed> {
  const output = await run(dir, ['scripts/sim.ts', ...histories, '--hours', '6', '--no-shrink', '--until-broken']);
  const lines = output.split('\n');
  const at = lines.findIndex((line) => line.includes('BROKE'));
  if (at < 0) return { outcome: 'missed', how: lastWords(output) };
  return { outcome: 'caught', how: `${lines[at]?.split(';')[0]}: ${lines[at + 1]?.trim().slice(0, 160)}` };
}

async function playHint(dir: string, hint: string): Promise<Noticed> {
  const first = await play(dir, `--${hint}`.split(' '));
  if (first.outcome === 'caught') return first;
  const { outcome, how } = await play(dir, allHistories);
  return { outcome, how: outcome === 'caught' ? `not by ${hint}, but by ${how}` : how };
}

async function test(dir: string, file: string, needs: Mutant['needs']): Promise<Noticed> {
  const output = await run(dir, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--bail', '1', file]);
  const failed = /^ *FAIL +(.*)$/m.exec(output)?.[1];
  // A copy that cannot be read has no failed tests, only a failed file.
  const isFailure = /^ *Tests .*\d failed/m.test(output) || output.endsWith(endless);
  if (isFailure) return { outcome: 'caught', how: failed ?? endless.trim() };
  const isLeftOut = needs !== undefined && output.includes(withoutPostgres);
  return isLeftOut ? { outcome: 'left out', how: withoutPostgres } : { outcome: 'missed', how: lastWords(output) };
}

/** Runs what has to notice the mutant. */
export async function tryMutant(mutant: Mutant): Promise<MutantVerdict> {
  const { caughtBy, needs } = mutant;
  const startedAt = performance.now();
  const dir = infect(mutant);
  try {
    const noticed = caughtBy.startsWith('test/') ? await test(dir, caughtBy, needs) : await playHint(dir, caughtBy);
    return { mutant, ...noticed, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Tries them; true when none was missed. */
export async function runMutants(chosen: readonly Mutant[], say: (text: string) => void, atOnce = 2): Promise<boolean> {
  const waiting = [...chosen];
  const verdicts: MutantVerdict[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const one = mutant;
      const verdict = await tryMutant(one).catch(
        (error: unknown): MutantVerdict => ({ mutant: one, outcome: 'missed', how: String(error), seconds: 0 }),
      );
      verdicts.push(verdict);
      const { outcome, how, seconds } = verdict;
      say(`${verdicts.length}/${chosen.length} ${outcome} in ${seconds.toFixed(1)} s: ${one.name} (${how})`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const missed = verdicts.filter(({ outcome }) => outcome === 'missed');
  say(`${verdicts.filter(({ outcome }) => outcome === 'caught').length} of ${chosen.length} mutants caught`);
  for (const { mutant } of missed) say(`missed: ${mutant.name}`);
  return missed.length === 0;
}
