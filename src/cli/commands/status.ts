import type { Command } from 'commander';
import { explain } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { counted, formatDuration, formatSize } from '../../base/quantity.ts';
import { isAlive, readStatus } from '../../daemon/read-status.ts';
import { groupProblems } from '../../operate/report/problem-groups.ts';
import type { Problem, StatusReport } from '../../operate/report/status.ts';
import { configOption, dataDirOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import type { Output } from '../output.ts';
import { describeProgress } from '../progress.ts';

interface StatusOptions {
  readonly config: string;
  readonly dataDir?: string;
  readonly json?: true;
  readonly check?: true;
}

const longestTable = 30;

/** With how long it takes until it is not behind any more, where that is known. */
const behind = (text: string, { caught_up_in_seconds: left }: { readonly caught_up_in_seconds?: number }): string =>
  left === undefined ? text : `${text}, caught up in about ${formatDuration(left * 1000)}`;

const ago = (at: number | undefined, now: number): string => (at === undefined ? '-' : `${formatDuration(now - at)} ago`);

function stateIn(output: Output, state: string): string {
  if (state === 'hold' || state === 'failing' || state === 'waiting_for_room') return output.color.red(state);
  if (state === 'retrying' || state === 'stopped' || state === 'disabled') return output.color.yellow(state);
  return output.color.green(state);
}

const well = new Set(['idle', 'polling', 'delivering']);
const troubled = new Set(['hold', 'failing', 'waiting_for_room', 'retrying']);

/** With hundreds of them, those in trouble come first and the rest is counted. */
function worstFirst<T extends { readonly state: string }>(all: readonly T[]): readonly T[] {
  const rankOf = ({ state }: T): number => (troubled.has(state) ? 0 : well.has(state) ? 2 : 1);
  return all.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** What a table leaves out, those in trouble apart. */
function showRest(inTrouble: readonly boolean[], output: Output): void {
  const ill = inTrouble.filter(Boolean).length;
  const fine = inTrouble.length - ill;
  const counts = [...(ill > 0 ? [`${ill} more in trouble`] : []), ...(fine > 0 ? [`${fine} more without problems`] : [])];
  if (counts.length > 0) output.line(output.color.dim(`and ${counts.join(', ')} (--json shows all)`));
}

/** A poll that takes longer than most says for how long; one that catches up may take hours. */
const longPollMs = 60_000;

function sourceStateIn(output: Output, { state, polling_since: since }: StatusReport['sources'][number], now: number): string {
  const told = stateIn(output, state);
  return state === 'polling' && since !== undefined && now - since >= longPollMs
    ? `${told} for ${formatDuration(now - since)}`
    : told;
}

/** The table of sources. */
export function showSources({ sources, at }: StatusReport, output: Output): void {
  const sorted = worstFirst(sources);
  const rows = sorted.slice(0, longestTable);
  const isShared = sources.some(({ replica }) => replica !== undefined);
  const head = ['source', 'state', 'last success', 'cursor', 'last event', 'new', 'read again', 'unreadable'];
  output.table(
    isShared ? [...head, 'replica'] : head,
    rows.map((source) => [
      source.name,
      sourceStateIn(output, source, at),
      ago(source.last_success, at),
      behind(ago(source.cursor, at), source),
      ago(source.last_event, at),
      source.records.new,
      source.records.duplicate,
      source.records.unreadable,
      ...(isShared ? [source.replica ?? '-'] : []),
    ]),
  );
  const rest = sorted.slice(longestTable).map(({ state }) => troubled.has(state));
  showRest(rest, output);
}

interface TopicLine {
  readonly name: string;
  readonly connected: boolean;
  readonly backlogSeconds: number | undefined;
}

function topicsOf({ details }: StatusReport['sources'][number]): TopicLine[] {
  const topics = details?.['topics'];
  if (!isObject(topics)) return [];
  return Object.entries(topics).map(([name, facts]) => {
    const { connected, backlog_age_seconds: age } = isObject(facts) ? facts : {};
    return { name, connected: connected === true, backlogSeconds: typeof age === 'number' ? age : undefined };
  });
}

/** The topics of streams, each with the age of the oldest message not yet acknowledged; nothing when there are none. */
export function showTopics({ sources }: StatusReport, output: Output): void {
  const lines = sources
    .flatMap((source) => topicsOf(source).map((topic) => ({ source: source.name, ...topic })))
    .toSorted((a, b) => Number(a.connected) - Number(b.connected) || (b.backlogSeconds ?? 0) - (a.backlogSeconds ?? 0));
  if (lines.length === 0) return;
  output.line();
  output.table(
    ['source', 'topic', 'connection', 'backlog'],
    lines
      .slice(0, longestTable)
      .map(({ source, name, connected, backlogSeconds }) => [
        source,
        name,
        connected ? output.color.green('connected') : output.color.red('disconnected'),
        backlogSeconds === undefined ? 'unknown' : formatDuration(backlogSeconds * 1000),
      ]),
  );
  showRest(
    lines.slice(longestTable).map(({ connected }) => !connected),
    output,
  );
}

/** What the kinds of sinks count themselves, `3 truncated`; empty where there is nothing to tell. */
function countsOf({ counters = {} }: StatusReport['sinks'][number]): string {
  return Object.entries(counters)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

/** The table of sinks; with a column for what they count themselves where one has counted something. */
export function showSinks({ sinks, at }: StatusReport, output: Output): void {
  const hasCounts = sinks.some((sink) => countsOf(sink) !== '');
  const head = ['sink', 'type', 'state', 'lag', 'pending', 'acknowledged', 'unconfirmed', 'dead letters', 'last acknowledged'];
  output.table(
    hasCounts ? [...head, 'counted'] : head,
    worstFirst(sinks).map((sink) => [
      sink.name,
      sink.type,
      stateIn(output, sink.state),
      behind(formatDuration(sink.lag_seconds * 1000), sink),
      sink.pending,
      sink.acknowledged,
      sink.unconfirmed,
      sink.dead_letters,
      ago(sink.last_acknowledged, at),
      ...(hasCounts ? [countsOf(sink)] : []),
    ]),
  );
}

/** Who works on the journal; nothing where it is one daemon's alone. */
function showReplicas({ replicas = [], at }: StatusReport, output: Output): void {
  if (replicas.length === 0) return;
  output.line();
  output.table(
    ['replica', 'version', 'sources', 'up', 'last heard of'],
    replicas.map(({ name, version, sources, since, last_seen }) => [
      name,
      version,
      sources,
      formatDuration(Math.max(0, at - since)),
      ago(Math.min(last_seen, at), at),
    ]),
  );
}

function showProblems(problems: readonly Problem[], output: Output): void {
  for (const { level, where, what, fix } of groupProblems(problems)) {
    const mark = level === 'error' ? output.color.red('error  ') : output.color.yellow('warning');
    output.paragraph(`${mark} `, `${where}: ${what}`);
    if (fix !== undefined) output.paragraph('        fix: ', fix);
  }
}

function show(report: StatusReport, output: Output): void {
  const { journal } = report;
  const absent = report.running
    ? 'the replica of this configuration is not running; as the others last said'
    : 'not running; as last recorded in the journal';
  const uptime = report.uptime_seconds === undefined ? absent : `up ${formatDuration(report.uptime_seconds * 1000)}`;
  output.line(`penstock ${report.version}, ${uptime}`);
  if (report.config !== undefined) {
    const differs = report.config.differs_from_file ? output.color.yellow('; its files say something else now') : '';
    output.line(`configuration loaded ${ago(report.config.loaded_at, report.at)}${differs}`);
  }
  const left = journal.full_in_seconds;
  const full = left === undefined ? '' : `, full in about ${formatDuration(left * 1000)} at the pace of the last half hour`;
  output.line(
    `journal ${formatSize(journal.used_bytes)} of ${formatSize(journal.max_bytes)}, ${counted(journal.records, 'record')}${full}\n`,
  );
  showSources(report, output);
  showTopics(report, output);
  output.line();
  showSinks(report, output);
  showReplicas(report, output);
  const running = report.jobs.filter(({ state }) => state === 'running' || state === 'queued');
  if (running.length > 0) {
    output.line();
    output.table(
      ['job', 'kind', 'state', 'progress'],
      running.map((job) => [job.id, job.kind, job.state, describeProgress(job)]),
    );
  }
  output.line();
  if (report.problems.length === 0) output.line(output.color.green('All is well.'));
  showProblems(report.problems, output);
}

async function status({ config, dataDir, json, check }: StatusOptions, { output, seams, exit }: CommandContext): Promise<void> {
  const report = await readStatus(config, seams, dataDir);
  if (json === true) output.json(report);
  else if (check === true) showProblems(report.problems, output);
  else show(report, output);
  if (check === true) exit(report.running && report.problems.every(({ level }) => level !== 'error') ? 0 : 1);
}

interface HealthOptions {
  readonly config: string;
  readonly dataDir?: string;
}

/** No fault of a file is a reason to call a daemon dead: whoever asks kills it then. Docker knows no other code than 0 and 1. */
async function health({ config, dataDir }: HealthOptions, { output, seams, exit }: CommandContext): Promise<void> {
  try {
    const alive = await isAlive(config, seams, dataDir);
    output.line(alive ? 'alive' : 'no answer');
    exit(alive ? 0 : 1);
  } catch (error) {
    output.note(`penstock: ${explain(error)}`);
    exit(1);
  }
}

/** `penstock status` and `penstock health`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('how every source and sink is doing, and what to do about it')
    .addOption(configOption())
    .addOption(dataDirOption())
    .option('--json', 'for scripts; field names are stable')
    .option('--check', 'print only problems; exit 1 when one is an error or no daemon runs')
    .action((options: StatusOptions) => status(options, context));
  program
    .command('health')
    .description(
      'exit 0 when the daemon of this configuration answers; for container health checks, independent of vendors and receivers',
    )
    .addOption(configOption())
    .addOption(dataDirOption())
    .action((options: HealthOptions) => health(options, context));
}
