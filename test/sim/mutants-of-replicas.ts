// Faults that show only where several replicas share a journal, in the code that all of them run; histories of replicas notice them.
import type { Mutant } from './mutate.ts';

const noFence = 'const fence = `waits AS (SELECT 1), fence AS (SELECT 1 AS id)`;';

/** Faults that histories of several replicas notice. */
export const mutantsOfReplicas: readonly Mutant[] = [
  {
    name: 'no fence in a settle',
    file: 'src/journal/postgres/offsets.ts',
    caughtBy: 'replicas struck',
    edits: [
      ['const fence = fencePart(db.s, values, source);', noFence],
      ['const fence = fencePart(s, values, source);', noFence],
    ],
  },
  {
    name: 'the fence of a settle stands outside its transaction',
    file: 'src/journal/postgres/offsets.ts',
    caughtBy: 'replicas struck',
    edits: [['const [held] = await sql.query(', 'const [held] = await core.db.query(']],
  },
  {
    name: 'the lease goes by the wall clock of the replica',
    file: 'src/journal/postgres/journal-time.ts',
    caughtBy: 'replicas struck',
    edits: [
      ['return this.#clock.monotonic() < this.#until;', 'return this.#clock.now() < this.#until;'],
      ['this.#until = heardAt + this.#ms;', 'this.#until = this.#clock.now() - this.#clock.monotonic() + heardAt + this.#ms;'],
      ['Math.max(0, this.#until - this.#clock.monotonic())', 'Math.max(0, this.#until - this.#clock.now())'],
    ],
  },
  {
    name: 'a replica tells the server until when it lives, by its own clock',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'replicas struck',
    edits: [
      ['SET expires = now() + $2::interval, seen', 'SET expires = to_timestamp(${Date.now() / 1000}) + $2::interval, seen'],
    ],
  },
  {
    name: 'the engine makes the attempt of an append anew when the answer was lost',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'replicas struck',
    edits: [['source, before, attempt, ids,', 'source, before, attempt: newAttempt(), ids,']],
  },
  {
    name: 'loops of a source that another replica owns go on',
    file: 'src/runtime/live-runtime.ts',
    caughtBy: 'replicas struck',
    edits: [['lost: (names) => void this.#give(names),', 'lost: () => undefined,']],
  },
  {
    name: 'a replica sends on when its lease has run out',
    file: 'src/journal/postgres/membership.ts',
    caughtBy: 'replicas struck',
    edits: [['return unit !== undefined && this.lease.isValid &&', 'return unit !== undefined &&']],
  },
  {
    name: 'sources of a replica that died are left to it',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'replicas struck',
    edits: [['return free || !isSame || this.#looks % closeLookEvery === 0;', 'return !isSame;']],
  },
  {
    name: 'two replicas run one job',
    file: 'src/journal/postgres/state.ts',
    caughtBy: 'replicas jobs',
    edits: [['NOT state IN ${ended} AND (owner IS NULL OR owner = $2 OR', 'NOT state IN ${ended} AND (true OR']],
  },
  {
    name: 'a job stays with the replica that died',
    file: 'src/journal/postgres/state.ts',
    caughtBy: 'replicas jobs',
    edits: [['NOT EXISTS (SELECT 1 FROM ${db.s}.members m WHERE m.id = j.owner AND m.expires > now())\n         OR', '']],
  },
  {
    name: 'a replica writes to a job that another one has',
    file: 'src/journal/postgres/state.ts',
    caughtBy: 'replicas jobs',
    edits: [['AND (owner IS NULL OR owner = $6 OR', 'AND (true OR']],
  },
  {
    name: 'a request that is late opens a replay anew that has ended',
    file: 'src/journal/postgres/replays.ts',
    caughtBy: 'replicas jobs',
    edits: [['    if (job?.over === true) return 0;\n', '    void job;\n']],
  },
  {
    name: 'two replicas do upkeep at once',
    file: 'src/journal/postgres/core.ts',
    caughtBy: 'replicas changes',
    edits: [['held.length === 0 ? otherwise : work(sql)', 'held.length === 0 ? otherwise : work(db)']],
  },
  {
    name: 'upkeep deletes what a sink of another replica has not taken',
    file: 'src/journal/postgres/upkeep.ts',
    caughtBy: 'replicas changes',
    edits: [['AND p.last <= l.settled AND p.first', 'AND p.first']],
  },
  {
    name: 'upkeep deletes what a replay is to bring',
    file: 'src/journal/postgres/upkeep.ts',
    caughtBy: 'replicas changes',
    edits: [
      [
        "AND NOT EXISTS (SELECT 1 FROM ${s}.replays r WHERE r.kind = 'stored'",
        "OR EXISTS (SELECT 1 FROM ${s}.replays r WHERE r.kind = 'none'",
      ],
    ],
  },
  {
    name: 'upkeep abandons at once what no replica is configured with at this moment',
    file: 'src/base/absence.ts',
    caughtBy: 'replicas changes',
    edits: [['>= goneAfterMs);', '>= 0);']],
  },
  {
    name: 'what a missing replica is configured with is abandoned',
    file: 'src/journal/postgres/members.ts',
    caughtBy: 'replicas changes',
    edits: [['WHERE m.expires > now() OR (${isMissing(s)}))', 'WHERE m.expires > now())']],
  },
  {
    name: 'what a replica is configured with takes the place of what the others are',
    file: 'src/journal/postgres/members.ts',
    caughtBy: 'replicas changes',
    edits: [
      [
        'await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1`, [id]);\n  await sql.run(\n    `INSERT',
        'await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1 OR true`, [id]);\n  await sql.run(\n    `INSERT',
      ],
    ],
  },
  {
    name: 'a replica keeps a source that only others are configured with',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'replicas changes',
    edits: [['const others = staying.filter(({ isOthers }) => isOthers);', 'const others = staying.slice(0, 0);']],
  },
  {
    name: 'a replica takes its share of what is disabled in its file',
    file: 'src/journal/postgres/members.ts',
    caughtBy: 'replicas changes',
    edits: [
      ['[enabled === false ? `disabled ${kind}` : kind, name]', '[enabled === undefined ? `disabled ${kind}` : kind, name]'],
    ],
  },
  {
    name: 'a sink sends on while a shared journal takes no offsets',
    file: 'src/deliver/journal-lag.ts',
    caughtBy: 'test/sim/crew/crew.test.ts',
    edits: [['    if (!this.isShared) return false;\n', '    if (this.#journal !== undefined) return false;\n']],
  },
];
