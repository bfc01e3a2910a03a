import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { openDaemon } from '../../src/daemon/open-daemon.ts';
import { openConfiguredJournal } from '../../src/runtime/configured-journal.ts';
import { readConfig } from '../../src/runtime/read-config.ts';
import { openByteProxy } from '../journal/byte-proxy.ts';
import { temporaryDirectory } from '../journal/fixture.ts';
import { hasPostgres, postgresUrl, temporarySchema } from '../postgres.ts';

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

it.runIf(hasPostgres())('starts also where the connection to its database breaks while it does, whenever that is', async () => {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const proxy = await openByteProxy(url);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const file = join(await temporaryDirectory(), 'penstock.yaml');
  await writeFile(
    file,
    `journal: { url: "${proxy.url}", schema: ${schema} }\nreplica: { name: one }\nsinks: { out: { type: stdout } }`,
  );
  const seams = systemSeams();
  const config = await readConfig(file, seams);
  const start = async (): Promise<void> => {
    await using _daemon = await openDaemon({ config, seams, log: silentLog(), lockWaitMs: 20_000 });
  };
  await start();
  proxy.count();
  await start();
  const { up } = proxy.passed;

  const parts = 12;
  for (let part = 1; part <= parts; part += 1) {
    proxy.cutAfter('up', Math.ceil((part / (parts + 1)) * up));
    // A start that had less to say than the one that was counted leaves the cut to the next one.
    do await start();
    while (proxy.cuts < part);
  }

  expect(proxy.cuts).toBe(parts);
});
