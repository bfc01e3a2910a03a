import fs from 'node:fs/promises';
import { type Clock, systemClock } from './clock.ts';
import { type Random, systemRandom } from './random.ts';

/** The part of node:fs/promises that rooms use; a test hands in one that fails, fills up or forgets. */
export type Files = Pick<
  typeof fs,
  | 'access'
  | 'appendFile'
  | 'chmod'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'opendir'
  | 'readdir'
  | 'readFile'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'stat'
  | 'statfs'
  | 'truncate'
  | 'unlink'
  | 'writeFile'
>;

/** What reaches the rooms as parameters instead of globals. The network is handed in separately, as an HttpClient. */
export interface Seams {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
}

/** The real machine. */
export function systemSeams(): Seams {
  return { clock: systemClock(), random: systemRandom(), files: fs };
}
