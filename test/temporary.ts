// One folder for whatever the tests of a run leave behind, also where they were killed: it goes when the run ends.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { stopPostgres } from './postgres.ts';

const prefix = 'penstock-tests-';

export default async function useOwnFolder(): Promise<(() => Promise<void>) | undefined> {
  // Each project calls this; the first has made it.
  if (basename(tmpdir()).startsWith(prefix)) return undefined;
  const folder = await mkdtemp(join(tmpdir(), prefix));
  // Some tests run a program as another user.
  await chmod(folder, 0o755);
  process.env['TMPDIR'] = folder;
  return async () => {
    await stopPostgres();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
}
