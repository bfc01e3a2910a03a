import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import { checkJournal, openJournal } from '../../src/journal/index.ts';
import { seed } from '../seed.ts';
import { fewOrMany } from '../thorough.ts';
import { idsOfPage, journalOptions, temporaryDirectory } from './fixture.ts';

interface Promised {
  page: number;
  position: number;
  readonly uids: string[];
}

/** Runs the child until it has promised so much, kills it a moment after, and notes what it had promised. */
async function runAndKill(dataDir: string, promised: Promised, random: Random): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'crash-child.ts'), dataDir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [most, momentMs] = [1 + Math.floor(random.float() * 100), random.float() * 3];
  let output = '';
  const ended = once(child, 'close');
  await new Promise<unknown>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.split('\n').length > most) resolve(undefined);
    });
    void ended.then(resolve);
  });
  await wait(momentMs);
  child.kill('SIGKILL');
  await ended;
  for (const line of output.split('\n').slice(0, -1)) note(line, promised);
}

function note(line: string, promised: Promised): void {
  const [word, ...rest] = line.split(' ');
  if (word === 'appended') promised.page = Math.max(promised.page, Number(rest[0]));
  if (word === 'settled') promised.position = Math.max(promised.position, Number(rest[0]));
  if (word === 'delivered') promised.uids.push(...rest);
}

it(`keeps every promise through kill -9 at any moment: no record missing, no cursor ahead, no offset back (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const dataDir = await temporaryDirectory();
  const promised: Promised = { page: 0, position: 0, uids: [] };

  for (let round = 0; round < fewOrMany(3, 12) || promised.page <= 5; round++) await runAndKill(dataDir, promised, random);

  await using journal = await openJournal(journalOptions(dataDir, { lockWaitMs: 10_000 }));
  const cursor = Number(await journal.checkpoint('s', 'live'));
  const [lane] = await journal.lanes('a');
  const rest = lane === undefined ? [] : await journal.read('a', lane.lane, lane.offset, 1_000_000);
  const uids = new Set([...promised.uids, ...rest.flatMap(({ records }) => records.map(({ uid }) => uid))]);
  const { rows } = await journal.ledger();
  const committed = Array.from({ length: cursor }, (_none, index) => idsOfPage(index + 1)).flat();
  expect((await journal.seen('s', committed)).every(({ length }) => length === 1)).toBe(true);
  expect(await journal.seen('s', idsOfPage(cursor + 1))).toEqual(idsOfPage(cursor + 1).map(() => []));
  expect(cursor).toBeGreaterThanOrEqual(promised.page);
  expect(promised.page).toBeGreaterThan(5);
  expect(uids.size).toBe(cursor * 50);
  expect(lane?.offset ?? cursor * 50).toBeGreaterThanOrEqual(promised.position);
  expect(rows).toMatchObject([{ new: cursor * 50 }]);
  expect(rows.every(isBalanced)).toBe(true);
  expect((await checkJournal(dataDir)).problems).toEqual([]);
});
