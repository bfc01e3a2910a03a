import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { commandLog } from '../../src/cli/context.ts';
import { processOutput } from '../../src/cli/output.ts';
import { penstock, stream } from './terminal.ts';

it('says what stands in the way of a job that no daemon does for the command', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-own-job-'));
  const csv =
    'eventTime,eventType,userID,event,actionResult,typename\n2026-11-20T08:00:00Z,NEVER_HEARD_OF,u,{},SUCCESS,AuditEvent\n';
  await writeFile(join(folder, 'one.csv'), csv);
  const config = {
    data_dir: './data',
    sources: { astra: { connector: 'astra-csv', options: { directory: folder, org_id: 'one' } } },
    sinks: { file: { type: 'file', path: './out.ndjson', batch: { wait: '10ms' } } },
  };
  const file = join(folder, 'penstock.yaml');
  await writeFile(file, JSON.stringify(config));

  const { code, err } = await penstock(['import', 'astra', join(folder, 'one.csv'), '-c', file]);

  expect(code).toBe(0);
  expect(err).toContain('sink file: unknown action; its events go out as Base Event (table astra, action never_heard_of)');
});

it('tells a warning and an error as a person reads them, without secrets', () => {
  const said = stream(false);
  const output = processOutput({ stdout: said.stream, stderr: said.stream, env: {} });
  const secrets = createSecrets();
  secrets.add('hunter2-hunter2');
  const log = commandLog({ output, seams: systemSeams(), exit: () => undefined }, secrets);

  log.info('job started');
  log.child({ sink: 'soc' }).warn({ reason: 'it wants hunter2-hunter2' }, 'the receiver does not take events');
  log.error(
    { err: new PenstockError('PEN_JOURNAL_FULL', 'the disk is full', { where: '/data/journal.db', fix: 'free space' }) },
    'the journal fails jobs',
  );

  expect(said.text()).toBe(
    [
      'sink soc: the receiver does not take events (reason it wants [REDACTED])',
      'the journal fails jobs: /data/journal.db: the disk is full',
      '  fix: free space',
      '',
    ].join('\n'),
  );
});
