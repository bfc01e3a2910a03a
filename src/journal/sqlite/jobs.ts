import { PenstockError } from '../../base/errors.ts';
import type { Jobs } from '../journal.ts';
import { type JobRow, jobOf } from '../records/rows.ts';
import type { Core } from './core.ts';
import { all, one } from './file/database.ts';

/** Jobs that have ended are listed as long as they are among so many. */
const mostEnded = 1_000;

/** The table of jobs: queued -> running -> done, failed or cancelled. */
export function openJobs(core: Core): Jobs {
  const { db, writer, clock, changes } = core;
  const insert = db.prepare(
    "INSERT INTO jobs (kind, args, token, state, progress, created) VALUES (?, ?, ?, 'queued', 'null', ?) RETURNING *",
  );
  const select = db.prepare(
    'SELECT * FROM jobs WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR kind = ?3) AND id > ?4 ORDER BY id',
  );
  const byToken = db.prepare('SELECT * FROM jobs WHERE token = ?');
  const update = db.prepare(
    `UPDATE jobs SET state = ifnull(?2, state), progress = ifnull(?3, progress), error = ifnull(?4, error),
     started = CASE WHEN ?2 = 'running' THEN ifnull(started, ?5) ELSE started END,
     finished = CASE WHEN ?2 IN ('done', 'failed', 'cancelled') THEN ?5 WHEN ?2 IN ('queued', 'running') THEN NULL ELSE finished END WHERE id = ?1 AND state <> 'cancelled'`,
  );
  const prune = db.prepare("DELETE FROM jobs WHERE id <= ? AND state IN ('done', 'failed', 'cancelled')");
  return {
    async insertJob(kind, args, token) {
      const row = await writer.write(() => {
        const known = token === undefined ? undefined : one<JobRow>(byToken, token);
        if (known !== undefined) return known;
        const inserted = one<JobRow>(insert, kind, JSON.stringify(args ?? null), token ?? null, clock.now());
        prune.run((inserted?.id ?? 0) - mostEnded);
        return inserted;
      });
      changes.notify();
      if (row === undefined) throw new PenstockError('PEN_INTERNAL', 'the journal returned no row for a new job');
      return jobOf(row);
    },
    claimJob: () => Promise.resolve(true),
    jobs: async ({ states, id, kind, after } = {}) =>
      all<JobRow>(select, id ?? null, states === undefined ? null : JSON.stringify(states), kind ?? null, after ?? 0).map(jobOf),
    async updateJob(id, { state, progress, error }) {
      const text = progress === undefined ? null : JSON.stringify(progress);
      const updated = await writer.write(() => update.run(id, state ?? null, text, error ?? null, clock.now()));
      if (updated.changes === 0) throw notUpdated(id, all(select, id, null, null, 0).length > 0);
      changes.notify();
    },
    cancelJob: openCancel(core),
  };
}

function openCancel({ db, writer, clock, changes }: Core): Jobs['cancelJob'] {
  const cancel = db.prepare("UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ? AND state IN ('queued', 'running')");
  const endReplays = db.prepare('DELETE FROM replays WHERE job = ?');
  const find = db.prepare('SELECT * FROM jobs WHERE id = ?');
  return async (id) => {
    await writer.write(() => {
      if (cancel.run(clock.now(), id).changes > 0) endReplays.run(id);
    });
    changes.notify();
    const row = one<JobRow>(find, id);
    return row && jobOf(row);
  };
}

function notUpdated(id: number, isKnown: boolean): PenstockError {
  const fix = 'see "penstock jobs"';
  return isKnown
    ? new PenstockError('PEN_JOURNAL_FENCED', `job ${id} was cancelled`, { fix })
    : new PenstockError('PEN_NOT_FOUND', `there is no job ${id}`, { fix });
}
