// What stands between a configuration and a daemon that runs for years: the machine, not the data.
import { constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { explain, PenstockError } from '../../base/errors.ts';
import { inspectFolder } from '../../base/own-folder.ts';
import { counted, formatDuration, formatSize } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import type { Config } from '../../config/config.ts';
import { ballastBytes, glanceAtJournal, lookAtJournal, volumeBytes } from '../../journal/index.ts';
import { readConfig, readDataDir } from '../../runtime/read-config.ts';
import type { StatusReport } from '../report/status.ts';
import { type Diagnosis, ofError, ok, warning, wrong } from './diagnosis.ts';
import { ofNetwork } from './network.ts';

interface Patient {
  /** The configuration. */
  readonly file: string;
  readonly seams: Seams;
  readonly version: string;
  /** What the running daemon says; undefined where none answers. */
  readonly daemon: StatusReport | undefined;
}

/** Looks at everything, in the order in which it is to be mended. Changes nothing and sends no credential. */
export async function diagnose(patient: Patient): Promise<Diagnosis[]> {
  const { file, seams } = patient;
  const { config, found } = await ofConfiguration(patient);
  const dataDir = config?.data_dir ?? (await readDataDir(file, seams).catch(() => undefined));
  const onDisk = dataDir === undefined ? [] : await ofDataDir(dataDir, config, patient);
  const outside = config === undefined ? [] : [...(await ofSecrets(config, seams)), ...(await ofNetwork(config, seams))];
  return [...found, ...ofDaemon(patient), ...onDisk, ...outside];
}

/** What is missing in this shell may be there for the daemon, so it is an error only where none runs. */
async function ofConfiguration({
  file,
  seams,
  daemon,
}: Patient): Promise<{ readonly config?: Config; readonly found: Diagnosis[] }> {
  const check = 'configuration';
  try {
    const config = await readConfig(file, seams);
    return {
      config,
      found: [ok(check, sizeOf(file, config)), ...config.warnings.map(({ what, fix }) => warning(check, what, fix))],
    };
  } catch (error) {
    const config = await readConfig(file, seams, { withoutSecrets: true }).catch(() => undefined);
    const faults =
      error instanceof PenstockError && Array.isArray(error.cause) ? (error.cause as readonly { readonly what: string }[]) : [];
    const first = explain(error).split('\n')[0] ?? '';
    const more = faults.length > 1 ? `; and ${faults.length - 1} more` : '';
    const fix = `see "penstock validate -c ${file}"`;
    if (config === undefined) return { found: [wrong(check, `${first}${more}`, fix)] };
    if (daemon !== undefined) return { config, found: [ok(check, `${sizeOf(file, config)}; its secrets are not in this shell`)] };
    return { config, found: [wrong(check, `${first}${more}`, fix)] };
  }
}

const sizeOf = (file: string, { sources, sinks }: Config): string =>
  `${file}: ${counted(sources.length, 'source')}, ${counted(sinks.length, 'sink')}`;

function ofDaemon({ daemon, version, file }: Patient): Diagnosis[] {
  if (daemon === undefined)
    return [warning('daemon', 'none answers; nothing is collected or delivered', 'start it: penstock run')];
  const errors = daemon.problems.filter(({ level }) => level === 'error').length;
  const up = `penstock ${daemon.version}, up ${formatDuration((daemon.uptime_seconds ?? 0) * 1000)}`;
  const state =
    errors === 0 ? ok('daemon', up) : wrong('daemon', `${up}; ${counted(errors, 'problem')}`, `see "penstock status -c ${file}"`);
  const versions =
    daemon.version === version
      ? []
      : [warning('daemon', `this command is penstock ${version}`, 'restart the daemon with the newer one')];
  const loaded = daemon.config?.loaded_at ?? daemon.at;
  const differs = daemon.config?.differs_from_file === true;
  const age = formatDuration(daemon.at - loaded);
  const newer = differs
    ? warning(
        'file',
        `it, or a file that it names, says something else than what was loaded ${age} ago`,
        `penstock reload -c ${file}`,
      )
    : ok('file', `what runs was loaded from it ${age} ago`);
  return [state, ...versions, newer];
}

async function ofDataDir(dataDir: string, config: Config | undefined, { seams, daemon }: Patient): Promise<Diagnosis[]> {
  const { files } = seams;
  const stat = await files.stat(dataDir).catch(() => undefined);
  const owned =
    stat === undefined
      ? warning('data_dir', `${dataDir} is not there yet`, 'the daemon makes it when it starts')
      : await inspectFolder(dataDir, files)
          .then(() => refuseReadOnly(dataDir, files))
          .then(
            () =>
              ok('data_dir', `${dataDir}, mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')}, nobody else may write it`),
            (error: unknown) => ofError('data_dir', error),
          );
  // What lies in data_dir is of before: the daemon looks at the database alone.
  if (config?.journal.database !== undefined)
    return [
      owned,
      ok('journal', 'in the database that journal.url names; "penstock check" asks it, "penstock journal check" reads it'),
    ];
  const maxBytes = config?.journal.maxBytes;
  try {
    const glance = await glanceAtJournal(dataDir);
    const schema = ofSchema(glance, daemon !== undefined);
    const pages = glance.version === undefined ? [] : [await ofPages(dataDir, seams)];
    if (maxBytes === undefined) return [owned, schema, ...pages];
    const { free, size } = await volumeAt(dataDir, files);
    const wanted = ballastBytes(maxBytes, size);
    const ballast = glance.version === undefined ? [] : [ofBallast(wanted, glance, daemon !== undefined)];
    return [owned, schema, ...pages, ofDisk(free, maxBytes, wanted, glance), ...ballast];
  } catch (error) {
    return [owned, ofError('journal', error)];
  }
}

/** Who asks may be another user than the daemon; a volume that takes no writes takes them from nobody. */
async function refuseReadOnly(dataDir: string, files: Seams['files']): Promise<void> {
  const error = await files.access(dataDir, constants.W_OK).catch(({ code }: NodeJS.ErrnoException) => code);
  if (error !== 'EROFS') return;
  throw new PenstockError(
    'PEN_JOURNAL_UNWRITABLE',
    'its volume is mounted read-only: nothing is collected, and no delivery noted',
    {
      where: dataDir,
      fix: 'see in the log of the kernel whether the disk failed; mend it, mount it for writing, and start the daemon again',
    },
  );
}

/** Bytes of the volume where the folder is, or will be. */
async function volumeAt(path: string, files: Seams['files']): Promise<{ readonly free: number; readonly size: number }> {
  try {
    const { bavail, bsize } = await files.statfs(path);
    return { free: bavail * bsize, size: await volumeBytes(path, files) };
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    return volumeAt(parent, files);
  }
}

type Glance = Awaited<ReturnType<typeof glanceAtJournal>>;

function ofSchema({ version, ownVersion, bytes }: Glance, isRunning: boolean): Diagnosis {
  if (version === undefined) return ok('journal', 'there is none yet; the daemon makes it when it starts');
  const what = `schema version ${version}, ${formatSize(bytes)}`;
  if (version === ownVersion) return ok('journal', what);
  const fix = isRunning ? 'restart the daemon with this version' : 'the daemon brings it up to date when it starts';
  return warning('journal', `${what}; this program writes version ${ownVersion}`, fix);
}

/** As long as a person waits for an answer; all of a large journal takes minutes. */
const lookMs = 3000;

async function ofPages(dataDir: string, { clock }: Seams): Promise<Diagnosis> {
  const check = 'damage';
  const until = clock.monotonic() + lookMs;
  const { pages, stored, isWhole, problems } = await lookAtJournal(dataDir, () => clock.monotonic() >= until);
  const read = isWhole ? `all pages read, ${pages}` : `the newest ${pages} of ${counted(stored, 'page')} read`;
  const [problem] = problems;
  if (problem === undefined) return ok(check, `none found, ${read}${isWhole ? '' : '; "penstock journal check" reads the rest'}`);
  const more = problems.length > 1 ? `; and ${problems.length - 1} more` : '';
  const fix = 'see "penstock journal check", then stop the daemon and run "penstock journal repair"';
  return wrong(check, `${problem}${more}; ${read}`, fix);
}

function ofDisk(free: number, maxBytes: number, wanted: number, { bytes, ballastBytes: standing = 0 }: Glance): Diagnosis {
  const toCome = Math.max(0, maxBytes - bytes) + Math.max(0, wanted - standing);
  const what = `${formatSize(free)} free, the journal may take ${formatSize(toCome)} more`;
  if (free >= toCome) return ok('disk', what);
  const fix = 'lower journal.max_bytes, or give data_dir a larger disk: on a full one collection waits';
  return free < wanted ? wrong('disk', what, fix) : warning('disk', what, fix);
}

function ofBallast(wanted: number, { ballastBytes: standing }: Glance, isRunning: boolean): Diagnosis {
  if (standing === wanted) return ok('ballast', `${formatSize(wanted)} in reserve for a full disk`);
  const what =
    standing === undefined
      ? 'there is none: a full disk would find no reserve'
      : `it has ${formatSize(standing)} instead of ${formatSize(wanted)}`;
  return warning(
    'ballast',
    what,
    isRunning ? 'free space on the disk; the daemon makes it within seconds' : 'the daemon makes it when it runs',
  );
}

const othersRead = 0o077;

/** Secrets that the file names: `${file:}` and the keys of certificates. */
async function ofSecrets({ file, sources, sinks, admin }: Config, { files }: Seams): Promise<Diagnosis[]> {
  const text = await files.readFile(file, 'utf8');
  const named = [...text.matchAll(/\$\{file:([^}]+)\}/g)].map(([, path = '']) => resolve(dirname(file), path));
  const keys = [...sources, ...sinks].flatMap(({ http }) => http.tls?.key_file ?? []);
  const all = [...new Set([...named, ...keys, ...(admin.tls === undefined ? [] : [admin.tls.key_file])])];
  if (all.length === 0) return [ok('secrets', 'none comes from a file')];
  const found = await Promise.all(
    all.map(async (path) => {
      const mode = await files.stat(path).then(
        ({ mode: bits }) => bits & 0o777,
        () => undefined,
      );
      if (mode === undefined)
        return [wrong('secrets', `${path} cannot be read`, 'create it, or let the user who runs penstock read it')];
      if ((mode & othersRead) === 0) return [];
      return [
        warning(
          'secrets',
          `${path} has mode ${mode.toString(8).padStart(4, '0')}: others may read it`,
          `chmod 600 ${path}, or 0400 in a mounted secret`,
        ),
      ];
    }),
  );
  const bad = found.flat();
  return bad.length > 0
    ? bad
    : [ok('secrets', counted(all.length, 'file that only its owner may read', 'files that only their owner may read'))];
}
