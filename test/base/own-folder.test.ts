import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { claimFolder, inspectFolder } from '../../src/base/own-folder.ts';
import type { Files } from '../../src/base/seams.ts';

const isRoot = process.getuid?.() === 0;
const someUser = 64_321;
const volumeGroup = 64_777;

let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await fs.mkdtemp(join(tmpdir(), 'penstock-own-'));
  onTestFinished(() => fs.rm(parent, { recursive: true, force: true }));
  folder = join(parent, 'data');
  await fs.mkdir(folder, { mode: 0o700 });
});

const isOurs = (name: string): boolean => name.startsWith('journal.');
const claim = (path = folder, files: Files = fs) => claimFolder(path, files, isOurs);
const modeOf = async (path = folder): Promise<string> => ((await fs.stat(path)).mode & 0o7777).toString(8);

/** The machine's accounts and groups, as it would have them. */
const machineWith = (passwd: string, group: string): Files => ({
  ...fs,
  readFile: ((path: string) => Promise.resolve(path === '/etc/passwd' ? passwd : group)) as unknown as Files['readFile'],
});

/** Runs `work` as another user; only root can. */
async function as(user: number, work: () => Promise<unknown>): Promise<unknown> {
  process.seteuid?.(user);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

it('takes a folder that only its owner can write', async () => {
  expect(await claim()).toEqual({ repaired: undefined, warnings: [] });
});

it.each([
  { mode: 0o777, after: '755' },
  { mode: 0o1777, after: '755' },
  { mode: 0o770, after: '750' },
  { mode: 0o2775, after: '2755' },
  { mode: 0o702, after: '700' },
])('sets mode $mode right and says so where only its own files are in it', async ({ mode, after }) => {
  await fs.writeFile(join(folder, 'journal.db'), '');
  await fs.chmod(folder, mode);

  const { repaired } = await claim();

  expect([repaired, await modeOf()]).toEqual([
    `others could write to data_dir (mode ${mode.toString(8).padStart(4, '0')}): its mode is now ${after.padStart(4, '0')}`,
    after,
  ]);
});

it.each([0o777, 0o1777, 0o703])('refuses mode %o, and leaves it, where other things are in it', async (mode) => {
  await fs.writeFile(join(folder, 'notes.txt'), '');
  await fs.chmod(folder, mode);

  await expect(claim()).rejects.toMatchObject({
    code: 'PEN_DATA_DIR_UNSAFE',
    message: `every user can write to data_dir (mode ${mode.toString(8).padStart(4, '0')})`,
    where: folder,
    fix: `chmod go-w ${folder}, or let data_dir name a folder that only penstock uses`,
  });
  expect(await modeOf()).toBe(mode.toString(8));
});

it('changes nothing when it only looks, and says nothing of a folder that does not exist', async () => {
  await inspectFolder(join(parent, 'none'), fs);
  await fs.chmod(folder, 0o777);

  await expect(inspectFolder(folder, fs)).rejects.toMatchObject({ code: 'PEN_DATA_DIR_UNSAFE' });
  expect(await modeOf()).toBe('777');
});

it.each([
  { mode: 0o777, isSafe: false },
  { mode: 0o1777, isSafe: true },
  { mode: 0o755, isSafe: true },
])('judges a folder above it with mode $mode', async ({ mode, isSafe }) => {
  await fs.chmod(parent, mode);

  const claimed = claim();

  if (isSafe) await claimed;
  else
    await expect(claimed).rejects.toMatchObject({
      message: 'every user can write to a folder above data_dir (mode 0777), and so replace data_dir',
      where: parent,
      fix: `chmod go-w ${parent}, or put data_dir elsewhere`,
    });
});

it('follows a link of its own user to the folder, and looks at the way to both', async () => {
  const elsewhere = join(parent, 'elsewhere');
  await fs.mkdir(elsewhere);
  await fs.symlink(folder, join(elsewhere, 'link'));

  await claim(join(elsewhere, 'link'));
  await fs.chmod(elsewhere, 0o777);

  await expect(claim(join(elsewhere, 'link'))).rejects.toMatchObject({ where: elsewhere });
});

it.runIf(isRoot)('refuses a link of another user', async () => {
  await fs.symlink(folder, join(parent, 'link'));
  await fs.lchown(join(parent, 'link'), someUser, someUser);

  await expect(claim(join(parent, 'link'))).rejects.toMatchObject({
    message: `data_dir is reached over a symbolic link of user ${someUser}`,
  });
});

it.runIf(isRoot)('refuses a folder of another user for whoever writes there, and lets root look into it', async () => {
  await fs.chown(folder, someUser, someUser);

  await inspectFolder(folder, fs);

  await expect(claim()).rejects.toMatchObject({
    message: `data_dir belongs to user ${someUser}, penstock runs as user 0`,
    fix: `run penstock as the user that owns it, or give it to this one: chown -R 0 ${folder}`,
  });
});

it.runIf(isRoot)('does not look into a folder of another ordinary user', async () => {
  await fs.chmod(parent, 0o755);
  await fs.chown(folder, someUser, someUser);

  await expect(as(someUser + 1, () => inspectFolder(folder, fs))).rejects.toMatchObject({
    message: `data_dir belongs to user ${someUser}, penstock runs as user ${someUser + 1}`,
  });
});

it.runIf(isRoot)('says so where it may not even look', async () => {
  await expect(as(someUser, () => inspectFolder(folder, fs))).rejects.toMatchObject({
    message: 'data_dir may not be looked into',
    fix: 'run penstock as the user that owns it',
  });
});

it.runIf(isRoot)('warns of a folder above it that belongs to another user', async () => {
  await fs.chown(parent, someUser, someUser);

  expect((await claim()).warnings).toEqual([
    `${parent} belongs to user ${someUser}, who can put another folder into the place of data_dir`,
  ]);
});

const alone = { passwd: 'root:x:0:0:root:/root:/bin/sh\n', group: 'root:x:0:\n' };
const me = `me:x:${someUser}:${someUser}::/:/bin/sh\n`;

// As Kubernetes leaves a volume for a pod with `fsGroup`: root's, written by a group that no account is in.
it.runIf(isRoot).each([
  { what: 'no account is in', ...alone, isSafe: true },
  { what: 'only itself is in', passwd: alone.passwd + me, group: `vol:x:${volumeGroup}:me\n`, isSafe: true },
  {
    what: 'a service has as its own, that cannot log in',
    passwd: `web:x:33:${volumeGroup}::/:/usr/sbin/nologin\n`,
    group: '',
    isSafe: true,
  },
  { what: 'another account has as its own', passwd: `eve:x:1234:${volumeGroup}::/:/bin/bash\n`, group: '', isSafe: false },
  { what: 'lists another account', passwd: '', group: `vol:x:${volumeGroup}:eve,me\n`, isSafe: false },
])("uses root's volume that a group can write which $what: $isSafe", async ({ passwd, group, isSafe }) => {
  await fs.chmod(parent, 0o755);
  await fs.chown(folder, 0, volumeGroup);
  await fs.chmod(folder, 0o2775);

  const claimed = as(someUser, () => claim(folder, machineWith(passwd, group)));

  if (isSafe) expect(await claimed).toEqual({ repaired: undefined, warnings: [] });
  else
    await expect(claimed).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`^group ${volumeGroup} \\(eve.*\\) can write to data_dir \\(mode 2775\\)$`)),
      fix: `let data_dir name a folder in it, such as ${folder}/penstock: penstock makes it for itself`,
    });
  expect(await modeOf()).toBe('2775');
});

it('knows no group where the machine has no list of them', async () => {
  await fs.writeFile(join(folder, 'notes.txt'), '');
  await fs.chmod(folder, 0o770);
  const missing = Object.assign(new Error('none'), { code: 'ENOENT' });

  expect(await claim(folder, { ...fs, readFile: () => Promise.reject(missing) })).toEqual({ repaired: undefined, warnings: [] });
});
