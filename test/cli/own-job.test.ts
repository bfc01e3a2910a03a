import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freePort } from '../free-port.ts';
import { penstock } from './terminal.ts';

it('says what holds up a job that no daemon does for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-own-job-'));
  const nobody = await freePort();
  const csv =
    'eventTime,eventType,userID,event,actionResult,typename\n2026-11-20T08:00:00Z,CREATE_USER,u,{},SUCCESS,AuditEvent\n';
  await writeFile(join(folder, 'one.csv'), csv);
  const config = {
    data_dir: './data',
    sources: { astra: { connector: 'astra-csv', options: { directory: folder, org_id: 'one' } } },
    sinks: { soc: { type: 'http', url: `http://127.0.0.1:${nobody}/`, batch: { wait: '10ms' } } },
  };
  const file = join(folder, 'penstock.yaml');
  await writeFile(file, JSON.stringify(config));

  const { code, err } = await penstock(['import', 'astra', join(folder, 'one.csv'), '--drain', '2s', '-c', file]);

  expect(code).toBe(1);
  expect(err).toMatch(
    /^sink soc: the receiver does not take events; they wait in the journal and are sent again: .*ECONNREFUSED/m,
  );
  expect(err).toContain('1 events are not delivered yet; the next run delivers them');
});
