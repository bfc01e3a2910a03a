import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Ask, listedWriters } from '../../src/base/access-list.ts';
import { claimFolder } from '../../src/base/own-folder.ts';

const getfacl =
  (list: string): Ask =>
  (program) =>
    Promise.resolve(program === 'getfacl' ? list : undefined);
const ls =
  (mode: string): Ask =>
  (program) =>
    Promise.resolve(program === 'ls' ? `${mode} 2 0 0 4096 Nov 29 14:45 /srv\n` : undefined);

it('finds who may write by an access list, and what its mask takes away from them', async () => {
  const list = [
    'user::rwx',
    'user:1000:r-x',
    'user:1234:rwx',
    'user:1235:rwx\t#effective:r-x',
    'group::rwx',
    'group:2000:-w-',
    'mask::rwx',
    'other::---',
    'default:user:4000:rwx',
  ].join('\n');

  expect(await listedWriters('/srv', getfacl(list), 'linux')).toEqual({ users: [1234], groups: [2000], ownGroup: true });
});

it.each([
  { entry: 'group::r-x', ownGroup: false },
  { entry: 'group::rwx\t#effective:r-x', ownGroup: false },
  { entry: 'group::rwx', ownGroup: true },
])('takes from $entry whether the own group of a folder with a list may write', async ({ entry, ownGroup }) => {
  const list = ['user::rwx', 'user:1234:rwx', entry, 'mask::rwx', 'other::---'].join('\n');

  expect((await listedWriters('/srv', getfacl(list), 'linux')).ownGroup).toBe(ownGroup);
});

it.each([
  { shown: 'drwxrwxr-x+', isUnread: true },
  { shown: 'drwxrwxr-x', isUnread: undefined },
  // SELinux.
  { shown: 'drwxrwxr-x.', isUnread: undefined },
])('sees by $shown that there is one where nothing reads it', async ({ shown, isUnread }) => {
  expect((await listedWriters('/srv', ls(shown), 'linux')).isUnread).toBe(isUnread);
});

it('finds nobody where the system has no program that would tell', async () => {
  expect(await listedWriters('/srv', () => Promise.resolve(undefined), 'linux')).toEqual({
    users: [],
    groups: [],
    ownGroup: true,
  });
});

/** As `setfacl -m user:UID:rwx`; false where this machine cannot. */
function allow(path: string, uid: number): boolean {
  const entries = `[(1,7,-1),(2,7,${uid}),(4,5,-1),(16,7,-1),(32,5,-1)]`;
  const set = `import os,struct;os.setxattr("${path}","system.posix_acl_access",struct.pack("<I",2)+b"".join(struct.pack("<HHi",*e) for e in ${entries}))`;
  try {
    execFileSync('python3', ['-c', set], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it.for(['data', '.'])('refuses data_dir where an access list lets another user write to "%s"', async (listed, { skip }) => {
  const parent = await fs.mkdtemp(join(tmpdir(), 'penstock-listed-'));
  onTestFinished(() => fs.rm(parent, { recursive: true, force: true }));
  const folder = join(parent, 'data');
  await fs.mkdir(folder, { mode: 0o700 });
  await fs.writeFile(join(folder, 'notes.txt'), '');
  skip(!allow(join(parent, listed), 64_321), 'no access list can be set here');

  await expect(claimFolder(folder, fs, () => false)).rejects.toMatchObject({
    code: 'PEN_DATA_DIR_UNSAFE',
    message: expect.stringMatching(/^(user 64321,|somebody) whom its access list names,.* can write to .*data_dir/) as string,
    where: join(parent, listed),
  });
});
