import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot, packageVersion } from '../../src/base/package.ts';
import { fewOrAll } from '../thorough.ts';

/** What stands in the place of penstock: says which file runs, then does as it is told. */
const standIn = (name: string, type = ''): string => `
const [what, code]${type} = process.argv.slice(2);
if (what === 'exit') { process.stdout.write('${name}'); process.exit(Number(code)); }
if (what === 'repeat') process.stdin.pipe(process.stdout);
if (what === 'heap') {
  const { getHeapStatistics } = await import('node:v8');
  process.stdout.write(String(getHeapStatistics().heap_size_limit / 2 ** 20));
}
if (what === 'die') process.kill(process.pid, 'SIGKILL');
if (what === 'wait') {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { process.stdout.write(signal); process.exit(7); });
  setInterval(() => undefined, 1000);
  process.stdout.write('waiting ');
}
`;

interface Installation {
  readonly sources?: boolean;
  readonly bundle?: boolean;
  /** Packages in node_modules, each with this process's Node as its `bin/node`. */
  readonly nodes?: readonly string[];
  readonly dependencies?: boolean;
}

async function install({
  sources = false,
  bundle = false,
  nodes = ['node'],
  dependencies = true,
}: Installation): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'penstock-bin-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  await write('package.json', '{ "type": "module" }');
  if (sources) await write('src/cli/main.ts', standIn('sources', ': string[]'));
  if (bundle) await write('dist/main.js', standIn('bundle'));
  if (dependencies) await write('node_modules/yaml/package.json', '{}');
  for (const name of nodes) {
    await write(`node_modules/${name}/package.json`, '{}');
    await mkdir(join(root, 'node_modules', name, 'bin'));
    await symlink(process.execPath, join(root, 'node_modules', name, 'bin/node'));
  }
  await cp(join(packageRoot, 'bin'), join(root, 'bin'), { recursive: true });
  return root;
}

/** Makes the Node that runs the starter say an older version; the one that it hands over to does not read this. */
const asOlder = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`;

function start(
  root: string,
  args: readonly string[],
  { older = false, options = '' } = {},
): ChildProcess & { readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [...(older ? ['--import', asOlder] : []), join(root, 'bin/penstock.js'), ...args], {
    env: { ...process.env, NODE_OPTIONS: options },
  });
  const ended = (async () => {
    const [closed, out, err] = await Promise.all([
      new Promise<Pick<Ended, 'code' | 'signal'>>((done) => child.on('close', (code, signal) => done({ code, signal }))),
      text(child.stdout),
      text(child.stderr),
    ]);
    return { ...closed, out, err };
  })();
  return Object.assign(child, { ended });
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

const well = { signal: null, err: '' };

describe.each([
  { node: 'a Node that is new enough', older: false },
  { node: 'an older Node', older: true },
])('started by $node', ({ older }) => {
  it.each([
    { name: 'the sources of a checkout where nothing was built', files: { sources: true }, runs: 'sources' },
    { name: 'the sources of a checkout that has a bundle too', files: { sources: true, bundle: true }, runs: 'sources' },
    { name: 'the bundle of the published package', files: { bundle: true, dependencies: false }, runs: 'bundle' },
  ])('runs $name, and ends with its exit code', async ({ files, runs }) => {
    const root = await install(files);

    const ended = await start(root, ['exit', '3'], { older }).ended;

    expect(ended).toEqual({ ...well, code: 3, out: runs });
  });

  it('passes standard input on', async () => {
    const root = await install({ sources: true });

    const child = start(root, ['repeat'], { older });
    child.stdin?.end('a line\n');

    expect(await child.ended).toEqual({ ...well, code: 0, out: 'a line\n' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('passes %s on and waits for the end', async (signal) => {
    const root = await install({ sources: true });

    const child = start(root, ['wait'], { older });
    child.stdout?.once('data', () => child.kill(signal));

    expect(await child.ended).toEqual({ ...well, code: 7, out: `waiting ${signal}` });
  });

  it('gives NODE_OPTIONS to what it runs', async () => {
    const root = await install({ sources: true });

    const limits = await Promise.all(
      [200, 500].map(async (mebibytes) =>
        Number((await start(root, ['heap'], { older, options: `--max-old-space-size=${mebibytes}` }).ended).out),
      ),
    );

    expect((limits[1] ?? 0) - (limits[0] ?? 0)).toBe(300);
  });

  it('lets NODE_OPTIONS win over its own bound of young garbage', async () => {
    const root = await install({ sources: true });

    const limits = await Promise.all(
      [16, 64].map(async (mebibytes) =>
        Number(
          (await start(root, ['heap'], { older, options: `--max-semi-space-size=${mebibytes} --max-old-space-size=300` }).ended)
            .out,
        ),
      ),
    );

    expect(limits[1]).toBeGreaterThan(limits[0] ?? 0);
  });

  it('ends by the signal that ended what it runs', async () => {
    const root = await install({ sources: true });

    const ended = await start(root, ['die'], { older }).ended;

    expect(ended).toEqual({ ...well, code: null, signal: 'SIGKILL', out: '' });
  });

  it('says what to do in a checkout without dependencies', async () => {
    const root = await install({ sources: true, dependencies: false });

    const ended = await start(root, [], { older }).ended;

    const err = `penstock: the dependencies of this checkout are not installed\n  fix: run "npm ci" in ${root}\n`;
    expect(ended).toEqual({ code: 1, signal: null, out: '', err });
  });

  it('says what to do where there is nothing to run', async () => {
    const root = await install({});

    const ended = await start(root, [], { older }).ended;

    const err = `penstock: ${root} has neither dist/main.js nor src/cli/main.ts\n  fix: install the package again\n`;
    expect(ended).toEqual({ code: 1, signal: null, out: '', err });
  });
});

it.each(fewOrAll(1, [{ older: true }, { older: false }]))(
  'runs this checkout, started by a Node that is older: $older',
  async (node) => {
    const ended = await start(packageRoot, ['--version'], node).ended;

    expect(ended).toEqual({ ...well, code: 0, out: `${packageVersion}\n` });
  },
);

it('opens no debugger in what it hands over to', async () => {
  const root = await install({ sources: true });

  const child = start(root, ['wait'], { older: true });
  child.stdout?.once('data', () => {
    child.kill('SIGUSR1');
    child.kill('SIGTERM');
  });

  expect(await child.ended).toEqual({ ...well, code: 7, out: 'waiting SIGTERM' });
});

it.each([
  { nodes: [`node-${process.platform}-${process.arch}`] },
  { nodes: ['node'] },
  { nodes: ['node', `node-${process.platform}-${process.arch}`] },
])('hands over to the Node of $nodes', async ({ nodes }) => {
  const root = await install({ sources: true, nodes });

  const ended = await start(root, ['exit', '0'], { older: true }).ended;

  expect(ended).toEqual({ ...well, code: 0, out: 'sources' });
});

it('says what to do on an older Node where npm brought no other', async () => {
  const root = await install({ sources: true, nodes: [] });

  const ended = await start(root, ['exit', '0'], { older: true }).ended;

  expect(ended).toEqual({
    code: 1,
    signal: null,
    out: '',
    err: `penstock: needs Node 24.8 or newer, this is ${process.version}\n  fix: install a newer Node, or install penstock again without --omit=optional and --ignore-scripts: npm then brings a Node along\n`,
  });
});

it('says so when the Node that npm brought does not start', async () => {
  const root = await install({ sources: true, nodes: [] });
  const binary = join(root, 'node_modules/node/bin/node');
  await mkdir(dirname(binary), { recursive: true });
  await writeFile(join(root, 'node_modules/node/package.json'), '{}');
  await writeFile(binary, 'not for this machine', { mode: 0o600 });

  const { code, err } = await start(root, ['exit', '0'], { older: true }).ended;

  expect([code, err]).toEqual([
    1,
    `penstock: ${binary} cannot be started (spawn ${binary} EACCES)\n  fix: install Node 24.8 or newer\n`,
  ]);
});
