import { stringify } from 'yaml';
import { PenstockError } from '../base/errors.ts';
import type { Seams } from '../base/seams.ts';
import { parseUnknownCounts, unknownActionsNote, unknownSampleNote } from '../collect/index.ts';
import type { SourceConfig } from '../config/config.ts';
import type { ActionSummary } from '../connectors/action-tables.ts';
import type { Connector } from '../connectors/connector.ts';
import type { Journal } from '../journal/journal.ts';
import { withStoredJournal } from '../runtime/configured-journal.ts';

/** An action that arrived and has no row; times are milliseconds since the epoch. */
interface UnknownActionReport {
  readonly connector: string;
  /** As the vendor spells it. */
  readonly action: string;
  readonly key: string;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** Sources that it came from. */
  readonly sources: readonly string[];
  /** One record as JSON text, redacted, cut after 4,000 characters. */
  readonly sample?: string;
  /** A row of the action table, YAML, ready to be pasted. */
  readonly row: string;
}

export interface UnknownActionsReport {
  readonly actions: readonly UnknownActionReport[];
  /** Records of further unknown actions, beyond the 200 that are remembered of each source. */
  readonly others: number;
}

type Found = Omit<UnknownActionReport, 'row'> & { readonly table: Connector };

/**
 * What the sources of a connector (of all, without one) have met and the rows they have loaded now do not know, most frequent first. Reads
 * the journal beside a running daemon or without one. Throws PEN_NOT_FOUND when no source uses the connector.
 */
export function unknownActions(configFile: string, seams: Seams, connector?: string): Promise<UnknownActionsReport> {
  return withStoredJournal(configFile, seams, async (journal, { sources }) => {
    const wanted = sources.filter((source) => connector === undefined || source.connector.name === connector);
    if (wanted.length === 0 && connector !== undefined) {
      const used = [...new Set(sources.map((source) => source.connector.name))].join(', ');
      throw new PenstockError('PEN_NOT_FOUND', `no source uses connector "${connector}"`, {
        where: configFile,
        fix: used === '' ? 'configure a source of it first' : `use one of: ${used}`,
      });
    }
    const found = await Promise.all(wanted.map((source) => ofSource(source, journal)));
    const actions = merged(found.flatMap((one) => one.actions))
      .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
      .map(({ table, ...report }) => ({ ...report, row: suggestRow(report.action, report.key, table.actions) }));
    return { actions, others: found.reduce((sum, { others }) => sum + others, 0) };
  });
}

async function ofSource(
  { name, connector }: SourceConfig,
  journal: Journal,
): Promise<{ readonly actions: readonly Found[]; readonly others: number }> {
  const { actions, others } = parseUnknownCounts(await journal.note(name, unknownActionsNote));
  const known = new Set(connector.actions.flatMap(({ key, aliases = [] }) => [key, ...aliases]));
  const found = await Promise.all(
    actions.map(async ({ key, ...counted }, index) => {
      if (known.has(key)) return [];
      const sample = await journal.note(name, unknownSampleNote(index));
      const text = typeof sample === 'string' ? { sample } : {};
      return [{ connector: connector.name, key, ...counted, sources: [name], ...text, table: connector }];
    }),
  );
  return { actions: found.flat(), others };
}

/** One entry for an action, however many sources of the connector met it. */
function merged(found: readonly Found[]): Found[] {
  const byAction = new Map<string, Found>();
  for (const one of found) {
    const id = `${one.connector}\n${one.key}`;
    const known = byAction.get(id);
    byAction.set(
      id,
      known === undefined
        ? one
        : {
            ...known,
            count: known.count + one.count,
            first: Math.min(known.first, one.first),
            last: Math.max(known.last, one.last),
            sources: [...known.sources, ...one.sources],
          },
    );
  }
  return [...byAction.values()];
}

/** A verb at the end of an action, and what a change of that kind is called in each schema. */
interface Verb {
  readonly words: RegExp;
  /** Of Entity Management, whose classes and activities every table knows. */
  readonly activityId: number;
  readonly ecs: string;
  readonly cim: string;
}

const verbs: readonly Verb[] = [
  { words: /^(create|add|new|insert|generate|invite|register)/, activityId: 1, ecs: 'creation', cim: 'created' },
  { words: /^(delet|remov|destroy|revok|purge|drop)/, activityId: 4, ecs: 'deletion', cim: 'deleted' },
];
const otherwise: Verb = { words: /$/, activityId: 3, ecs: 'change', cim: 'modified' };

const entityManagement = 3004;

// What a vendor wrote must stay on its line: with control characters it is a JSON text, which is YAML too.
const scalar = (text: string): string =>
  /[\p{C}\u2028\u2029]/u.test(text) ? quoted(text) : stringify(text, { lineWidth: 0 }).trimEnd();

// A text as JSON in which no character steers a terminal or breaks a line.
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Classes and activities that the table's own rows use, for a comment. */
function choices(actions: readonly ActionSummary[]): string[] {
  const classes = new Map<number, { name: string; activities: Map<number, string> }>();
  for (const { classUid, className, activityId, activity } of actions) {
    const known = classes.get(classUid) ?? { name: className, activities: new Map<number, string>() };
    if (activityId !== undefined) known.activities.set(activityId, activity);
    classes.set(classUid, known);
  }
  return [...classes]
    .sort(([a], [b]) => a - b)
    .map(([uid, { name, activities }]) => {
      const list = [...activities].sort(([a], [b]) => a - b).map(([id, activity]) => `${id} ${activity}`);
      return `${uid} ${name} (${list.join(', ')})`;
    });
}

/**
 * A row for an action that nobody has mapped, as YAML that loads as it is. Class and activity are a proposal from the wording, for a person
 * to correct: a managed thing that was made, changed or deleted. A comment names what the table has.
 */
export function suggestRow(action: string, key: string, actions: readonly ActionSummary[]): string {
  const words = key.split('_').filter((word) => word !== '');
  const verb = verbs.find((candidate) => words.some((word) => candidate.words.test(word))) ?? otherwise;
  const thing = words.length > 1 ? words.slice(0, -1).join(' ') : (words[0] ?? 'object');
  const title = words.join(' ');
  const caption = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  return [
    `# correct class and activity: docs/connectors.md, "Choosing the class"; rows of the table have ${choices(actions).join('; ')}`,
    `- action: ${scalar(action)}`,
    `  key: ${scalar(key)}`,
    `  title: ${scalar(caption(title))}`,
    '  group: Added here',
    `  ocsf: { class_uid: ${entityManagement}, activity_id: ${verb.activityId}, severity_id: 2 } # 1 informational, 2 low, 3 medium, 4 high`,
    `  target: { place: entity, type: ${scalar(caption(thing))}, type_id: 99 }`,
    `  ecs: { category: [configuration], type: [${verb.ecs}] }`,
    `  cim: { model: Change, dataset: All_Changes, tags: [change], action: ${verb.cim}, change_type: configuration, object_category: ${scalar(thing.replaceAll(' ', '_'))} }`,
    '  wire: documented',
    '',
  ].join('\n');
}
