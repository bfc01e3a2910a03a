import { expect, it } from 'vitest';
import { openLog } from '../../src/base/log.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { Config } from '../../src/config/config.ts';
import { logWarnings } from '../../src/daemon/configuration.ts';

it('logs a hundred warnings of a configuration, and how many more there are', () => {
  const lines: string[] = [];
  const log = openLog('info', { write: (line: string) => lines.push(line) }, createSecrets());
  const warning = (line: number) => ({ file: 'p.yaml', line, column: 1, path: [], what: `warning ${line}` });
  const warnings = Array.from({ length: 10_000 }, (_, index) => warning(index + 1));

  logWarnings({ file: 'p.yaml', warnings } as Partial<Config> as Config, log);

  const said = lines.map((line) => JSON.parse(line) as { msg: string; where: string; more?: number });
  expect(said).toHaveLength(101);
  expect(said[99]).toMatchObject({ msg: 'warning 100', where: 'p.yaml:100:1' });
  expect(said[100]).toMatchObject({ msg: 'the configuration has more warnings', where: 'p.yaml', more: 9900 });
});
