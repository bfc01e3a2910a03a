import { expect, it } from 'vitest';
import { processOutput } from '../../src/cli/output.ts';
import { stream } from './terminal.ts';

const open = (isTTY: boolean, env: NodeJS.ProcessEnv = {}) => {
  const stdout = stream(isTTY);
  const stderr = stream(isTTY);
  return { output: processOutput({ stdout: stdout.stream, stderr: stderr.stream, env }), out: stdout.text, err: stderr.text };
};

it('aligns columns, numbers to the right, whatever the colours', () => {
  const { output, out } = open(true);

  output.table(
    ['name', 'pending'],
    [
      [output.color.red('soc'), 5],
      ['splunk', 1234],
    ],
  );

  expect(out()).toBe('\u001b[1mname    pending\u001b[0m\n\u001b[31msoc\u001b[0m           5\nsplunk     1234\n');
});

it.each([
  { isTTY: false, env: {} },
  { isTTY: true, env: { NO_COLOR: '1' } },
])('uses no colour with $env, terminal: $isTTY', ({ isTTY, env }) => {
  const { output, out } = open(isTTY, env);

  output.line(output.color.red('x'));

  expect(out()).toBe('x\n');
});

it('lets no text from elsewhere steer the terminal', () => {
  const { output, out } = open(false);

  output.table(['reason'], [['\u001b]0;owned\u0007 \u001b[2J a\rb']]);

  expect(out()).toBe('reason\n\uFFFD]0;owned\uFFFD \uFFFD[2J a\uFFFDb\n');
});

it('overwrites progress on a terminal and says it rarely elsewhere', () => {
  const terminal = open(true);
  const pipe = open(false);

  for (const { output } of [terminal, pipe]) {
    output.progress('1 of 2');
    output.progress('2 of 2');
    output.progressDone();
  }

  expect([terminal.err(), pipe.err()]).toEqual(['\r\u001b[2K1 of 2\r\u001b[2K2 of 2\n', '1 of 2\n']);
});
