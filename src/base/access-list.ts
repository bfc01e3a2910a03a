// POSIX access lists of Linux (`setfacl`). Where a folder has one, the group's bits of its mode are the most that any entry of it may do: a
// mode that lets the group write may mean a user whom no table of groups names. Node cannot read them, so programs of the system are asked.
import { execFile } from 'node:child_process';

/** What a folder's access list lets write besides its owner. */
interface ListedWriters {
  readonly users: readonly number[];
  readonly groups: readonly number[];
  /** The folder's group can, as far as is known: with a list its bits of the mode may stand for others. */
  readonly ownGroup: boolean;
  /** There is a list, and nothing that could read it. */
  readonly isUnread?: true;
}

const none: ListedWriters = { users: [], groups: [], ownGroup: true };
const patienceMs = 5000;
// Of the system alone: what else is called so has not been asked for.
const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

/** Runs a program of the system; undefined where it is not there, or fails. */
export type Ask = (program: string, args: readonly string[]) => Promise<string | undefined>;

const askSystem: Ask = (program, args) =>
  new Promise<string | undefined>((resolve) => {
    execFile(program, args, { env, timeout: patienceMs, windowsHide: true }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
    // Where nothing may be started, that is thrown at once.
  }).catch(() => undefined);

/** Reads the list by `getfacl`, or sees by `ls` that there is one. Nobody is found where the system has neither. */
export async function listedWriters(path: string, ask: Ask = askSystem, platform = process.platform): Promise<ListedWriters> {
  if (platform !== 'linux') return none;
  const list = await ask('getfacl', ['--numeric', '--absolute-names', '--omit-header', '--', path]);
  if (list !== undefined) return writersIn(list);
  const shown = await ask('ls', ['-ldn', '--', path]);
  return /^[^\s]{10}\+/.test(shown ?? '') ? { ...none, isUnread: true } : none;
}

/** Lines such as `user:1234:rwx`; what the mask takes away again follows as `#effective:r-x`. */
function writersIn(list: string): ListedWriters {
  const writers: Record<'user' | 'group', number[]> = { user: [], group: [] };
  for (const line of list.split('\n')) {
    const [, kind, id, rights = '', effective] = /^(user|group):(\d+):([rwx-]{3})(?:\s+#effective:([rwx-]{3}))?/.exec(line) ?? [];
    if (kind !== undefined && (effective ?? rights).includes('w')) writers[kind as 'user' | 'group'].push(Number(id));
  }
  const own = /^group::([rwx-]{3})(?:\s+#effective:([rwx-]{3}))?/m.exec(list);
  return { users: writers.user, groups: writers.group, ownGroup: (own?.[2] ?? own?.[1] ?? 'w').includes('w') };
}
