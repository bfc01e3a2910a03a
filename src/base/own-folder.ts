// A folder of one's own: nobody but this process's user, and root, can put anything into it or put another one into its place.
import type { Stats } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { listedWriters } from './access-list.ts';
import { PenstockError } from './errors.ts';
import { ownUser } from './own-file.ts';
import type { Files } from './seams.ts';

type Looking = Pick<Files, 'lstat' | 'readFile' | 'realpath' | 'stat'>;
type Repairing = Looking & Pick<Files, 'chmod' | 'readdir'>;

const root = 0;
const othersWrite = 0o022;
const sticky = 0o1000;
// An administrator's tools put these into the top of a file system.
const ofFileSystems = new Set(['lost+found']);

/** What is worth a line in the log; nothing of it is a danger to start with. */
interface FolderReport {
  /** What was changed. */
  readonly repaired?: string;
  readonly warnings: readonly string[];
}

/** `0770`, as `stat` prints it. */
const modeOf = ({ mode }: Stats): string => (mode & 0o7777).toString(8).padStart(4, '0');

function unsafe(path: string, what: string, fix: string): PenstockError {
  return new PenstockError('PEN_DATA_DIR_UNSAFE', what, { where: path, fix });
}

/**
 * Throws PEN_DATA_DIR_UNSAFE, naming owner and mode, unless the folder and all that lead to it are safe from other users. Root may look into
 * the folder of any user, so that a command of an administrator works. Nothing is said of a folder that does not exist.
 */
export async function inspectFolder(path: string, files: Looking): Promise<void> {
  const user = ownUser();
  const stat = await statOf(path, files);
  if (user === undefined || stat === undefined) return;
  if (user !== root && stat.uid !== user && stat.uid !== root) throw foreign(path, stat, user);
  const writers = await writersOf(path, stat, files);
  if (writers !== undefined)
    throw unsafe(path, `${writers} can write to data_dir (mode ${modeOf(stat)})`, fixOf(path, stat, user));
  await inspectWay(path, files);
}

/** As {@link inspectFolder}, for whoever will write there: a mode of ours that is too wide is set right where nobody else counts on it. */
export async function claimFolder(path: string, files: Repairing, isOurs: (name: string) => boolean): Promise<FolderReport> {
  const user = ownUser();
  if (user === undefined) return { warnings: [] };
  const stat = await files.stat(path);
  if (stat.uid !== user && stat.uid !== root) throw foreign(path, stat, user);
  if (user === root && stat.uid !== root) throw foreign(path, stat, user);
  const repaired = (await canRepair(path, stat, user, files, isOurs)) ? await tighten(path, stat, files) : undefined;
  await inspectFolder(path, files);
  return { repaired, warnings: await foreignParents(path, files) };
}

async function statOf(path: string, files: Pick<Files, 'stat'>): Promise<Stats | undefined> {
  try {
    return await files.stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES') throw unsafe(path, 'data_dir may not be looked into', 'run penstock as the user that owns it');
    throw error;
  }
}

function foreign(path: string, { uid }: Stats, user: number): PenstockError {
  return unsafe(
    path,
    `data_dir belongs to user ${uid}, penstock runs as user ${user}`,
    `run penstock as the user that owns it, or give it to this one: chown -R ${user} ${path}`,
  );
}

function fixOf(path: string, stat: Stats, user: number): string {
  if (stat.uid === user) return `chmod go-w ${path}, or let data_dir name a folder that only penstock uses`;
  return `let data_dir name a folder in it, such as ${join(path, 'penstock')}: penstock makes it for itself`;
}

/** A folder that holds other things may be shared on purpose, as /tmp is: its mode is not ours to change. */
async function canRepair(
  path: string,
  stat: Stats,
  user: number,
  files: Repairing,
  isOurs: (name: string) => boolean,
): Promise<boolean> {
  if (stat.uid !== user || (stat.mode & othersWrite) === 0) return false;
  const names = await files.readdir(path);
  return names.every((name) => isOurs(name) || ofFileSystems.has(name));
}

async function tighten(path: string, stat: Stats, files: Repairing): Promise<string> {
  const mode = stat.mode & 0o7777 & ~(othersWrite | sticky);
  await files.chmod(path, mode);
  return `others could write to data_dir (mode ${modeOf(stat)}): its mode is now ${mode.toString(8).padStart(4, '0')}`;
}

/**
 * Who besides owner and root can write, in words; undefined when nobody can. A group counts with the accounts that the machine knows in it:
 * that of a volume in Kubernetes (`fsGroup`) has no other.
 */
async function writersOf(path: string, stat: Stats, files: Pick<Files, 'readFile'>): Promise<string | undefined> {
  if ((stat.mode & 0o002) !== 0) return 'every user';
  if ((stat.mode & 0o020) === 0) return undefined;
  const listed = await listedWriters(path);
  const trusted = [root, stat.uid, ownUser() ?? root];
  const user = listed.users.find((uid) => !trusted.includes(uid));
  if (user !== undefined) return `user ${user}, whom its access list names,`;
  for (const gid of [...(listed.ownGroup ? [stat.gid] : []), ...listed.groups]) {
    const members = await membersOf(gid, trusted, files);
    if (members.length > 0) return `group ${gid} (${members.slice(0, 5).join(', ')})`;
  }
  return listed.isUnread === true ? 'somebody whom its access list names, which cannot be read without getfacl,' : undefined;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly canLogIn: boolean;
}

/** Names of accounts in a group: those that it lists, and those that log in with it as their own group. */
async function membersOf(gid: number, apart: readonly number[], files: Pick<Files, 'readFile'>): Promise<string[]> {
  const [accounts, groups] = await Promise.all([readTable('/etc/passwd', files), readTable('/etc/group', files)]);
  const known = accounts.map(
    ([name = '', , uid, own, , , shell = '']): Account => ({
      name,
      uid: Number(uid),
      gid: Number(own),
      canLogIn: !/\/(nologin|false|sync)$/.test(shell),
    }),
  );
  const listed = groups.filter(([, , id]) => Number(id) === gid).flatMap(([, , , members = '']) => members.split(','));
  const own = known.filter((account) => account.gid === gid && account.canLogIn).map(({ name }) => name);
  const isApart = (name: string): boolean => known.some((account) => account.name === name && apart.includes(account.uid));
  return [...new Set([...listed, ...own])].filter((name) => name !== '' && !isApart(name));
}

async function readTable(path: string, files: Pick<Files, 'readFile'>): Promise<string[][]> {
  try {
    return (await files.readFile(path, 'utf8')).split('\n').map((line) => line.split(':'));
  } catch (error) {
    // A minimal image has none, and then no other accounts.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Every folder and link that leads to a path, as it is written and as it is in truth, without the path itself. */
async function wayTo(path: string, files: Looking): Promise<string[]> {
  const real = await files.realpath(path);
  return [...new Set([...prefixesOf(resolve(path)), ...prefixesOf(real).slice(0, -1)])].filter((step) => step !== real);
}

function prefixesOf(path: string): string[] {
  const { root: top } = parse(path);
  const steps = path
    .slice(top.length)
    .split(sep)
    .filter((step) => step !== '');
  return [top, ...steps.map((_, index) => join(top, ...steps.slice(0, index + 1)))];
}

/** Whoever can rename what leads to a folder can put one of his own into its place. */
async function inspectWay(path: string, files: Looking): Promise<void> {
  for (const step of await wayTo(path, files)) {
    const stat = await files.lstat(step);
    if (stat.isSymbolicLink()) {
      if (![root, ownUser()].includes(stat.uid))
        throw unsafe(step, `data_dir is reached over a symbolic link of user ${stat.uid}`, 'let data_dir name the folder itself');
      continue;
    }
    if ((stat.mode & sticky) !== 0 || (await isVolume(step, stat, files))) continue;
    const writers = await writersOf(step, stat, files);
    if (writers !== undefined)
      throw unsafe(
        step,
        `${writers} can write to a folder above data_dir (mode ${modeOf(stat)}), and so replace data_dir`,
        `chmod go-w ${step}, or put data_dir elsewhere`,
      );
  }
}

/** The top of a mounted volume that root made: who reaches it was decided where it was mounted, as with emptyDir in Kubernetes. */
async function isVolume(path: string, stat: Stats, files: Pick<Files, 'stat'>): Promise<boolean> {
  if (stat.uid !== root) return false;
  const above = dirname(path);
  return above !== path && (await files.stat(above)).dev !== stat.dev;
}

async function foreignParents(path: string, files: Looking): Promise<string[]> {
  const trusted = [root, ownUser()];
  const warnings: string[] = [];
  for (const step of await wayTo(path, files)) {
    const { uid } = await files.lstat(step);
    if (!trusted.includes(uid))
      warnings.push(`${step} belongs to user ${uid}, who can put another folder into the place of data_dir`);
  }
  return warnings;
}
