// The journal and its disk, as a status shows them.
import { formatDuration, formatSize, iso } from '../../base/quantity.ts';
import type { Correction, JournalUsage, ServerState, UpkeepTrouble } from '../../journal/journal.ts';

/** Something a person should know. `error`: data is at risk or a person must act; fails `status --check`. */
export interface Problem {
  readonly level: 'error' | 'warning';
  /** `source acme-prod`, `sink splunk`, `journal`, `ledger`. */
  readonly where: string;
  readonly what: string;
  readonly fix?: string;
}

/** {@link JournalUsage}, with the names of the rest of the report. */
export interface JournalStatus {
  readonly used_bytes: number;
  readonly max_bytes: number;
  readonly pages: number;
  readonly records: number;
  readonly oldest_received: number | undefined;
  readonly has_room: boolean;
  /** Of a running daemon, at the pace of the last half hour; absent while it does not fill up. */
  readonly full_in_seconds?: number;
  readonly corrections: readonly Correction[];
  readonly disk?: {
    readonly is_full: boolean;
    readonly lacks_ballast: boolean;
    readonly needed_bytes: number;
    readonly volume_bytes: number | undefined;
  };
  /** Where the journal is in a database. */
  readonly server?: ServerState;
  /** Why nothing is deleted at the moment. */
  readonly upkeep?: UpkeepTrouble;
}

/** As the report says it. */
export function journalStatus(usage: JournalUsage): JournalStatus {
  const { usedBytes, maxBytes, pages, records, oldestReceived, hasRoom, corrections, disk, server, upkeep } = usage;
  const size = { used_bytes: usedBytes, max_bytes: maxBytes, pages, records, oldest_received: oldestReceived };
  const base = { ...size, has_room: hasRoom, ...(upkeep !== undefined && { upkeep }) };
  if (disk === undefined) return { ...base, corrections, ...(server !== undefined && { server }) };
  const { isFull, lacksBallast, neededBytes, volumeBytes } = disk;
  const shown = { is_full: isFull, lacks_ballast: lacksBallast, needed_bytes: neededBytes, volume_bytes: volumeBytes };
  return { ...base, corrections, disk: shown };
}

/** Why nothing is collected while the journal has no room, and what ends that. */
export interface Pause {
  readonly what: string;
  /** Absent where it ends by itself. */
  readonly fix?: string;
}

/** Of a status whose journal has no room. */
export function pauseOf({ disk, server, has_room: hasRoom }: JournalStatus): Pause {
  // A replica whose heartbeat found no room is not heard of either.
  if (server?.refusal !== undefined)
    return { what: `collection is paused because ${server.refusal.what}`, fix: server.refusal.fix };
  if (server?.answers === false)
    return {
      what: 'collection is paused because the database does not answer',
      fix: 'see that the database runs and can be reached; collection resumes by itself within seconds',
    };
  // The source looks again within seconds, and another replica's word of it is some seconds old.
  if (hasRoom) return { what: 'collection was paused, and goes on within seconds: the journal takes events again' };
  if (disk?.is_full !== true)
    return {
      what: 'collection is paused because the journal is full',
      fix: 'fix the sink that does not accept its events, or raise journal.max_bytes',
    };
  return {
    what: 'collection is paused because the disk is full',
    fix: `free ${formatSize(disk.needed_bytes)} on the volume of data_dir; collection resumes by itself within seconds`,
  };
}

/** What is wrong with the journal or its disk, or will be. */
export function journalProblems(journal: JournalStatus): Problem[] {
  return [...diskProblems(journal), ...upkeepProblems(journal)];
}

const fullSoonSeconds = 86_400;

/** That it fills up, while there is time to do something about it. */
export function fillProblems({ has_room: hasRoom }: JournalStatus, fullInSeconds: number | undefined): Problem[] {
  if (!hasRoom || fullInSeconds === undefined || fullInSeconds > fullSoonSeconds) return [];
  const left = formatDuration(fullInSeconds * 1000);
  return [
    {
      level: 'warning',
      where: 'journal',
      what: `it is full in about ${left} at the pace of the last half hour; then collection pauses`,
      fix: 'fix the sink that does not accept its events, or raise journal.max_bytes, and free as much on the disk',
    },
  ];
}

function upkeepProblems({ upkeep, disk, server }: JournalStatus): Problem[] {
  // A full disk or a silent database is the reason, and has a line of its own.
  if (upkeep === undefined || disk?.is_full === true || server?.answers === false || server?.refusal !== undefined) return [];
  const { since, error, passes } = upkeep;
  const what = `upkeep has failed since ${iso(since)}, and nothing is deleted until it works again: ${error}`;
  return [{ level: passes ? 'warning' : 'error', where: 'journal', what }];
}

function diskProblems(journal: JournalStatus): Problem[] {
  const { disk, server, max_bytes: maxBytes } = journal;
  if (server?.refusal !== undefined)
    return [{ level: 'error', where: 'journal', what: `${server.refusal.what}; collection waits`, fix: server.refusal.fix }];
  if (disk === undefined) return [];
  const where = 'disk';
  const { fix } = pauseOf(journal);
  if (disk.is_full) return [{ level: 'error', where, what: 'the disk is full; delivery goes on, collection waits', fix }];
  const { volume_bytes: volumeBytes = Number.POSITIVE_INFINITY } = disk;
  const small: Problem[] =
    volumeBytes < maxBytes
      ? [
          {
            level: 'warning',
            where,
            what: `the volume of data_dir has ${formatSize(volumeBytes)}, journal.max_bytes is ${formatSize(maxBytes)}: the disk would be full first`,
            fix: 'lower journal.max_bytes below the size of the volume, or enlarge the volume',
          },
        ]
      : [];
  const bare: Problem[] = disk.lacks_ballast
    ? [
        {
          level: 'warning',
          where,
          what: 'there is no reserve: on a full disk not even deliveries could be noted',
          fix: `free ${formatSize(disk.needed_bytes)} on the volume of data_dir`,
        },
      ]
    : [];
  return [...small, ...bare];
}
