import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { openDaemon } from '../../src/daemon/open-daemon.ts';
import { openConfiguredJournal } from '../../src/runtime/configured-journal.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { temporaryDirectory } from '../journal/fixture.ts';

it('does not apply a file that an earlier process was asked to reload', async () => {
  const file = join(await temporaryDirectory(), 'penstock.yaml');
  await writeFile(file, 'sinks: { out: { type: stdout } }');
  const seams = systemSeams();
  const config = await readConfig(file, seams);
  const log = silentLog();
  {
    await using journal = await openConfiguredJournal(config, { seams, log });
    const { id } = await journal.insertJob('reload', { file });
    await journal.updateJob(id, { state: 'running' });
    await journal.insertJob('reload', { file });
  }

  await using daemon = await openDaemon({ config, seams, log, lockWaitMs: 0 });

  const jobs = await daemon.runtime.journal.jobs();
  expect(jobs.map(({ kind, state, error }) => [kind, state, error])).toEqual([
    ['reload', 'cancelled', 'the daemon was started anew meanwhile, and read its own file'],
    ['reload', 'cancelled', 'the daemon was started anew meanwhile, and read its own file'],
  ]);
});
