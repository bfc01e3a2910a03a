import { type Log, openLog } from '../src/base/log.ts';
import { createSecrets } from '../src/base/secrets.ts';

/** A log at level `info` whose lines can be read: `40 what it says`. */
export function loudLog(): { readonly log: Log; readonly said: string[] } {
  const said: string[] = [];
  const write = (line: string): void => {
    const { level, msg } = JSON.parse(line) as { readonly level: number; readonly msg: string };
    said.push(`${level} ${msg}`);
  };
  return { log: openLog('info', { write }, createSecrets()), said };
}
