import { expect, it } from 'vitest';
import { penstock, run } from './penstock.ts';

it('ends with the exit code and the message on standard error', async () => {
  expect(await run(['validate', '-c', '/no/such/file.yaml'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'penstock: /no/such/file.yaml: there is no such file\n  fix: name it with -c, or write one with penstock init\n',
  });
});

it('ends quietly when its reader goes away', async () => {
  const { child, exited, stderr } = penstock(['schema', 'connector']);
  child.stdout?.destroy();

  expect([await exited, stderr()]).toEqual([0, '']);
});

it('writes a long answer into a pipe to its end', async () => {
  const { code, stdout } = await run(['schema', 'connector']);

  expect(stdout.length).toBeGreaterThan(65_536);
  expect([code, typeof JSON.parse(stdout)]).toEqual([0, 'object']);
});
