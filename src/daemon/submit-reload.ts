import { resolve } from 'node:path';
import { findDaemon } from '../admin/index.ts';
import { sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { silentLog } from '../base/log.ts';
import { uuid } from '../base/random.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/config.ts';
import type { Job } from '../journal/journal.ts';
import { untilAnswered } from '../journal/until-answered.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import type { ReloadReport } from './configuration.ts';

const lookEveryMs = 100;
const answerWithinMs = 10_000;
const looksPerCall = 20;

function noDaemon({ data_dir }: Config, what: string): PenstockError {
  return new PenstockError('PEN_OPERATION_FAILED', what, {
    where: data_dir,
    fix: 'start it: penstock run; a data_dir that was changed takes a restart',
  });
}

/** Where replicas share the journal, it is the one beside this command that is meant. */
const replicaOf = ({ journal, replica }: Config): { readonly replica?: string } =>
  journal.database === undefined ? {} : { replica: replica.name };

function failure({ error = 'the daemon did not apply the file', progress }: Job): PenstockError {
  const isRefused = isObject(progress) && progress['refused'] === 'PEN_CONFIG_INVALID';
  // Faults are shown as they are, each with its file, line and column.
  return isRefused
    ? new PenstockError('PEN_CONFIG_INVALID', error, { cause: [] })
    : new PenstockError('PEN_OPERATION_FAILED', error);
}

/**
 * Has the running daemon apply the file that this configuration was read from, and waits until it has. Rejects with PEN_CONFIG_INVALID
 * when the daemon refuses it, and with PEN_OPERATION_FAILED where no daemon answers.
 */
export async function submitReload(config: Config, seams: Seams, signal: AbortSignal): Promise<ReloadReport> {
  const isThere = async (): Promise<boolean> =>
    (await findDaemon({ dataDir: config.data_dir, files: seams.files })) !== undefined;
  if (!(await isThere())) throw noDaemon(config, 'no daemon runs with this data_dir');
  await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), role: 'observer' });
  const token = uuid(seams.random);
  const insert = (): Promise<Job> => journal.insertJob('reload', { file: resolve(config.file), ...replicaOf(config) }, token);
  const { id } = await untilAnswered(insert, seams, answerWithinMs, signal);
  for (let looks = 1; ; looks += 1) {
    const [job] = await journal.jobs({ id });
    if (job === undefined) throw new PenstockError('PEN_NOT_FOUND', `job ${id} no longer exists`);
    if (job.state === 'done') return job.progress as ReloadReport;
    if (job.state === 'failed' || job.state === 'cancelled') throw failure(job);
    if (looks % looksPerCall === 0 && !(await isThere())) throw noDaemon(config, 'the daemon ended before it applied the file');
    await sleep(seams.clock, lookEveryMs, signal);
  }
}
