import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { penstock } from './terminal.ts';

const withRange = [
  'backfill feed',
  'replay out',
  'verify feed',
  'dead-letters list',
  'dead-letters retry --sink out',
  'dead-letters discard --yes',
];

it.each(
  withRange.flatMap((command) => [
    { command, from: '1d', to: '7d' },
    { command, from: '2026-11-02', to: '2026-11-01' },
  ]),
)('$command refuses --from $from --to $to, which are swapped', async ({ command, from, to }) => {
  const { code, out, err } = await penstock([...command.split(' '), '--from', from, '--to', to]);

  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(
    /^penstock: --from \S+Z lies after --to \S+Z\n {2}fix: swap them; a duration such as 7d means that long ago\n$/,
  );
});

it.each([...withRange.map((command) => `${command} --to 0s`), 'sources reset feed', 'tail'])(
  '%s refuses to begin in the future',
  async (command) => {
    const option = command === 'tail' ? '--since' : '--from';

    const { code, err } = await penstock([...command.split(' '), option, '2999-01-01']);

    expect(code).toBe(2);
    expect(err).toContain(`argument '2999-01-01' is invalid. that lies in the future.`);
  },
);

it.each([
  ['nope', 'there is no fault "nope". Use all, or some of late_rows, '],
  ['rate_limted,late_rows', 'there is no fault "rate_limted"; did you mean "rate_limited"? Use all, '],
])('simulate refuses the fault %s', async (faults, said) => {
  const { code, out, err } = await penstock(['simulate', '--faults', faults]);

  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(said);
});

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-own-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

it('finds connectors of the configuration, also while it is being edited', async () => {
  const dir = await folder();
  const config = join(dir, 'penstock.yaml');
  await writeFile(config, 'connectors_dir: ./mine\nsinks: {');
  const made = await penstock(['connector', 'new', 'acme', '--dir', join(dir, 'mine'), '-c', config]);
  expect(made.out).toContain(`connectors_dir: ./mine            # in ${config}, so that sources can say connector: acme`);

  const names = await penstock(['actions', '-c', config]);
  const rows = await penstock(['actions', 'acme', '-c', config]);
  const samples = await penstock(['sample', 'acme', '-c', config]);

  expect(names.out.split('\n')).toEqual(expect.arrayContaining(['acme', 'okta']));
  expect([rows.code, samples.code]).toEqual([0, 0]);
});

it.each(['actions', 'sample okta', 'siem splunk'])(
  '%s refuses a configuration that is not there when it is named',
  async (command) => {
    const { code, err } = await penstock([...command.split(' '), '-c', join(await folder(), 'none.yaml')]);

    expect(code).toBe(2);
    expect(err).toContain('none.yaml: there is no such file');
  },
);
