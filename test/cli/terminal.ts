import { systemSeams } from '../../src/base/seams.ts';
import { processOutput } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A stream that keeps what is written, like a pipe or, with `isTTY`, a terminal. */
export function stream(isTTY: boolean, columns?: number): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  let written = '';
  const write = (text: string): boolean => {
    written += text;
    return true;
  };
  return { stream: { isTTY, columns, write } as unknown as NodeJS.WriteStream, text: () => written };
}

/** Runs one command line in this process; commander's own texts are part of what is said. */
export async function penstock(
  argv: readonly string[],
  { isTTY = false, env = {} }: { isTTY?: boolean; env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const stdout = stream(isTTY);
  const stderr = stream(isTTY);
  let code: number | undefined;
  const output = processOutput({ stdout: stdout.stream, stderr: stderr.stream, env });
  const ended = await runProgram(argv, { seams: systemSeams(), output, exit: (given) => (code = given) });
  return { code: code ?? ended, out: stdout.text(), err: stderr.text() };
}
