import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { PostgresEngine } from '../../src/journal/contract/open.ts';
import { checkJournal, type Journal, type JournalOptions, openJournal } from '../../src/journal/index.ts';
import { checkPostgres } from '../../src/journal/postgres/check.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, postgresUrl, temporarySchema } from '../postgres.ts';
import { shareJournal } from '../sim/crew/replica.ts';
import { SharedServer } from '../sim/crew/server.ts';
import { fewOrMany } from '../thorough.ts';
import { journalOptions, temporaryDirectory } from './fixture.ts';
import { emptyDisk } from './memory/disk.ts';
import { openMemoryJournal } from './memory/journal.ts';

/** Limits of a journal that a test sets. */
export type Limits = Partial<Pick<JournalOptions, 'maxBytes' | 'keepMs'>>;

/** Opens the journal of a place, each time with what the one before left there; `problems` looks at every page of it. */
type Opening = (() => Promise<Journal>) & { problems(): Promise<readonly string[]> };

/** Makes a place for a journal. */
export type Place = (seams?: Seams, limits?: Limits) => Promise<Opening>;

export const onDisk: Place = async (seams = systemSeams(), limits = {}) => {
  const dataDir = await temporaryDirectory();
  const open = (): Promise<Journal> => openJournal(journalOptions(dataDir, { seams, ...limits }));
  return Object.assign(open, { problems: async () => (await checkJournal(dataDir)).problems });
};

export const inMemory: Place = async (seams = systemSeams()) => {
  const disk = emptyDisk({ strict: true, now: () => seams.clock.now() });
  return Object.assign(async () => openMemoryJournal(disk), { problems: async () => [] });
};

const roomy = { maxBytes: 16 * 1024 * 1024, keepMs: 7 * 86_400_000 };

/** The code of the engine for PostgreSQL over the model of the database that the simulation of replicas plays on. */
export const inModel: Place = async (seams = systemSeams(), limits) => {
  const problems: string[] = [];
  const unheard = () => undefined;
  const auditor = { onJoined: unheard, onHeard: unheard, onOwner: unheard, onStored: unheard, onSettled: unheard };
  const unkept = { onDeleted: unheard, onPassed: unheard };
  const server = new SharedServer(() => Date.now(), { ...auditor, ...unkept, problem: (text) => void problems.push(text) });
  server.disk.now = () => seams.clock.now();
  const line = { ask: async <T>(work: () => T | Promise<T>) => work(), reconnect: unheard };
  const open = async (): Promise<Journal> => {
    const clock = { ...systemSeams().clock, monotonic: () => seams.clock.monotonic() };
    const sharing = { name: 'one', number: 1, leaseMs: 60_000, server, line, clock, log: silentLog() };
    const { member, journal, start, close } = shareJournal({ ...sharing, ...(limits && { limits: { ...roomy, ...limits } }) });
    await member.join();
    await start();
    const dispose = async (): Promise<void> => {
      await close();
      await member.leave();
    };
    return { ...journal, [Symbol.asyncDispose]: dispose };
  };
  return Object.assign(open, { problems: async () => problems });
};

export const postgresEngine = (url: string, schema: string, name = 'one'): PostgresEngine => ({
  kind: 'postgres',
  url,
  schema,
  connections: 4,
  leaseMs: 10_000,
  replica: { name, labels: [] },
});

export const inPostgres: Place = async (seams = systemSeams(), limits = {}) => {
  const { maxBytes, keepMs } = { ...roomy, ...limits };
  const url = await postgresUrl();
  if (url === undefined) throw new Error('there is no PostgreSQL on this machine');
  const schema = temporarySchema(url);
  const engine = postgresEngine(url, schema);
  const options = { maxBytes, keepMs, seams, log: silentLog(), lockWaitMs: 0 };
  const open = (): Promise<Journal> => openPostgres(engine, { engine, ...options }, () => seams.clock.now());
  return Object.assign(open, { problems: async () => (await checkPostgres(engine)).problems });
};

/** The engines that keep a journal through restarts, for `describe.each`. */
export const engines = [
  { kind: 'on disk', place: onDisk },
  ...(hasPostgres() ? [{ kind: 'in PostgreSQL', place: inPostgres }] : []),
];

/** As `engines`, the database only among the long tests. */
export const enginesWhereThorough = () => (fewOrMany(0, 1) === 1 ? engines : engines.slice(0, 1));
