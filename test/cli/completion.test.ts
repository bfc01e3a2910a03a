import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { Shell } from '../../src/cli/completion.ts';
import { processOutput } from '../../src/cli/output.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { flattened, referenceTo } from '../../src/cli/reference.ts';
import { penstock } from './terminal.ts';

const program = await buildProgram({ seams: systemSeams(), output: processOutput(), exit: () => undefined });
const commands = flattened(referenceTo(program));
const folder = mkdtempSync(join(tmpdir(), 'penstock-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Harness {
  readonly shell: Shell;
  readonly flags: readonly string[];
  /** Prints what a real shell offers after each of the lines, with a line `@@` between them. */
  readonly ask: (file: string, lines: readonly string[]) => string;
}

const harnesses: readonly Harness[] = [
  {
    shell: 'bash',
    flags: ['--norc'],
    ask: (file, lines) => `source ${file}
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _penstock; printf '%s\\n' "\${COMPREPLY[@]}" @@; }
${lines.map((line) => `ask penstock ${line}`).join('\n')}`,
  },
  {
    shell: 'zsh',
    flags: ['-f'],
    ask: (file, lines) => `compdef() { : }
source ${file}
_describe() { print -rl -- "\${(@)\${(P@)4}%%:*}" }
compadd() { shift; print -rl -- "$@" }
_files() { print FILES }
ask() { words=("$@"); CURRENT=$#; PREFIX="\${@[-1]}"; _penstock; print -- @@ }
${lines.map((line) => `ask penstock ${line}`).join('\n')}`,
  },
  {
    shell: 'fish',
    flags: ['--no-config'],
    ask: (file, lines) =>
      `source ${file}
function ask; complete -C "$argv" | string replace -r '\\t.*' ''; echo @@; end
${lines.map((line) => `ask penstock ${line.replace(/''$/, "''")}`).join('\n')}`.replaceAll(/^ask (.*) ''$/gm, "ask '$1 '"),
  },
];

async function offered({ shell, flags, ask }: Harness, lines: readonly string[]): Promise<string[][]> {
  const file = join(folder, shell);
  writeFileSync(file, (await penstock(['completion', shell])).out);
  const script = join(folder, `${shell}-test`);
  writeFileSync(script, ask(file, lines));
  const out = execFileSync(shell, [...flags, script], { encoding: 'utf8', env: { ...process.env, HOME: folder } });
  return out.split('@@\n').map((part) => part.split('\n').filter((word) => word !== ''));
}

const isHere = (shell: Shell): boolean => spawnSync(shell, ['--version']).status === 0;

describe.each(harnesses)('in a real $shell', (harness) => {
  const it_ = it.skipIf(!isHere(harness.shell));

  it_('every command is offered, with those below it', async () => {
    const groups = commands.filter((command) => command.commands.length > 0);

    const found = await offered(
      harness,
      groups.map(({ path }) => `${path} ''`),
    );

    expect(groups.length).toBeGreaterThan(5);
    for (const [index, { commands: below }] of groups.entries())
      expect(found[index]).toEqual(expect.arrayContaining(below.map(({ path }) => path.split(' ').at(-1))));
  });

  it_('every option is offered', async () => {
    const found = await offered(
      harness,
      commands.map(({ path }) => `${path} --`),
    );

    for (const [index, { options }] of commands.entries())
      expect(found[index]).toEqual(expect.arrayContaining(options.map(({ long }) => long)));
  });

  it_('values are offered where they are known', async () => {
    const [formats, connectors, siems, topics] = await offered(harness, [
      "sample okta --format ''",
      "actions ''",
      "siem ''",
      "help ''",
    ]);

    expect(formats).toEqual(expect.arrayContaining(['ocsf', 'cim', 'ecs', 'cef', 'leef', 'raw']));
    expect(connectors).toEqual(expect.arrayContaining(['anaconda', 'okta']));
    expect(siems).toEqual(expect.arrayContaining(['splunk', 'elastic', 'opensearch', 'sentinel', 'sigma']));
    expect(topics).toEqual(expect.arrayContaining(['config', 'holds', 'status']));
  });
});

it('refuses another shell', async () => {
  expect(await penstock(['completion', 'csh'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('bash, zsh, fish') as string,
  });
});
