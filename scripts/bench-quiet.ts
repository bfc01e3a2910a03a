// What sources with nothing new cost the database: thousands of them, each polled again and again, every poll a commit of its checkpoint
// and its row of the ledger.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { silentLog } from '../src/base/log.ts';
import { systemSeams } from '../src/base/seams.ts';
import { zeroCounts } from '../src/journal/counts.ts';
import { type Commit, type Journal, openJournal } from '../src/journal/index.ts';

const hourMs = 3_600_000;
/** The clock's ticks of /proc. Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

const sources = Array.from({ length: 2000 }, (_none, index) => `quiet-${index}`);
/** As many polls a second as of 10,000 sources each minute. */
const everyMs = 12_000;
const rounds = 3;

/** Counts what this process asks the server from here on. */
export function countQueries(): () => number {
  // oxlint-disable-next-line typescript/unbound-method -- it is called on each client again
  const { query } = Client.prototype;
  let count = 0;
  Client.prototype.query = function counted(this: Client, ...asked: unknown[]): unknown {
    count += 1;
    return Reflect.apply(query, this, asked);
  } as typeof query;
  return () => count;
}

/** CPU that a server has used, seconds: its process, those that it began, and those of them that have ended. */
function serverCpuS(data: string): number {
  const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const fields = statOf(pid);
    if (Number(pid) !== postmaster && Number(fields[1]) !== postmaster) continue;
    const own = Number(fields[11]) + Number(fields[12]);
    ticks += Number(pid) === postmaster ? own + Number(fields[13]) + Number(fields[14]) : own;
  }
  return ticks / ticksPerSecond;
}

/** What stands behind the name of a process, which may hold anything; nothing where it has ended. */
function statOf(pid: string): string[] {
  try {
    return (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  } catch {
    return [];
  }
}

/** What the end of a poll leaves that found nothing. */
function quietCommit(source: string, began: number, now: number): Commit {
  const from = Math.floor(began / hourMs) * hourMs;
  const live = {
    connector: 'bench',
    identity: { org: source },
    start: began - hourMs,
    until: now,
    from: now - 300_000,
    newest: began,
  };
  return {
    source,
    checkpoint: { name: 'live', value: { ...live, row: { from, to: now } } },
    window: { key: `${new Date(from).toISOString()}/..`, lane: 'live', from, to: now, ...zeroCounts(), complete: true },
  };
}

/** Polls all sources, one after the other, so many times. Gives how many polls there were a second. */
async function pollQuietly(journal: Journal, times: number): Promise<number> {
  const began = Date.now();
  const polls = sources.length * times;
  const under: Promise<void>[] = [];
  for (let begun = 0; begun < polls; ) {
    const due = Math.min(polls, Math.ceil(((Date.now() - began) / everyMs) * sources.length));
    for (; begun < due; begun += 1) under.push(poll(journal, sources[begun % sources.length] ?? '', began));
    await wait(5);
  }
  await Promise.all(under);
  return polls / ((Date.now() - began) / 1000);
}

/** What it costs a server that has its files in `data`. */
export async function measureQuiet(url: string, data: string): Promise<string> {
  const replica = { name: 'quiet', labels: [] };
  await using journal = await openJournal({
    engine: { kind: 'postgres', url, schema: 'quiet', connections: 8, leaseMs: 15_000, replica },
    maxBytes: 2 ** 34,
    keepMs: 168 * hourMs,
    seams: systemSeams(),
    log: silentLog(),
  });
  await journal.register(
    sources.map((name) => ({ name, connector: 'bench', identity: {}, seenTtlMs: 720 * hourMs, seenPinnedMs: 24 * hourMs })),
    [{ name: 'sink', type: 'stdout', start: 'oldest', whenFull: 'wait' }],
  );
  while (!sources.every((name) => journal.ownership.owns(name))) await wait(50);
  // Each of them is met for the first time once.
  await pollQuietly(journal, 1);
  const [began, used] = [performance.now(), serverCpuS(data)];
  const queries = countQueries();
  const perSecond = await pollQuietly(journal, rounds);
  const seconds = (performance.now() - began) / 1000;
  const percent = (100 * (serverCpuS(data) - used)) / seconds;
  return `${perSecond.toFixed(0)} polls/s with nothing new: ${percent.toFixed(1)} % of a core of the database, ${(queries() / seconds).toFixed(1)} statements/s (less than 5 % at 167)`;
}

async function poll(journal: Journal, source: string, began: number): Promise<void> {
  await journal.checkpoint(source, 'live');
  await journal.append(quietCommit(source, began, Date.now()));
}
