import { basename, dirname, resolve } from 'node:path';
import { isObject } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import type { Files } from '../base/seams.ts';
import { standsInBentQuotes, unseenIn } from '../base/slips.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import type { Options, SinkConfig, SourceConfig } from './config.ts';
import type { LoadContext } from './load-context.ts';
import { realPath } from './real-path.ts';
import { placeholdersIn } from './starter.ts';

/** What the file names: also those blocks that had faults of their own. */
interface Named {
  readonly sourceNames: readonly string[];
  readonly sinkNames: readonly string[];
  readonly sources: readonly SourceConfig[];
  readonly sinks: readonly SinkConfig[];
}

/** Finds what no block can know alone. Faults and warnings go into the context. */
export async function checkTogether(
  named: Named,
  dataDir: unknown,
  context: LoadContext,
  files: Pick<Files, 'realpath'>,
): Promise<void> {
  checkReplicas(named, context);
  checkRoutes(named, context);
  checkSinksAtAll(named, context);
  checkTwins(named.sources, context);
  warnOfTexts(context.doc.value, [], context);
  checkSinkFilters(named, context);
  const directories = named.sources
    .filter(({ connector }) => connector.kind === 'csv_directory')
    .map(({ name, options }) => ({ at: ['sources', name, 'options'], ...pathOption(options, ['directory', 'path']) }));
  await refuseSharing(directories, 'reads the same directory as', 'give every source its own directory', context, files);
  const targets = named.sinks
    .filter(({ type }) => type === 'file')
    .map(({ name, options }) => ({ at: ['sinks', name], ...pathOption(options, ['path']) }));
  await refuseSharing(targets, 'writes the same file as', 'give every sink its own path', context, files);
  await refuseOwnFiles(targets, dataDir, context, files);
}

/** What several processes on one journal would do to each other, or could not do for each other. */
function checkReplicas({ sources, sinks }: Named, context: LoadContext): void {
  const file = isObject(context.doc.value) ? context.doc.value : {};
  if (!isObject(file['journal']) || file['journal']['url'] === undefined) return;
  checkReplicaSinks(sinks, context);
  checkReplicaSources(sources, context);
}

function writtenIn({ doc }: LoadContext, block: 'sources' | 'sinks', name: string, option: string): unknown {
  const blocks = isObject(doc.value) ? doc.value[block] : undefined;
  const own = isObject(blocks) ? blocks[name] : undefined;
  return isObject(own) ? own[option] : undefined;
}

function checkReplicaSinks(sinks: readonly SinkConfig[], context: LoadContext): void {
  const { doc, faults, warnings } = context;
  for (const { name, type } of sinks) {
    const path = writtenIn(context, 'sinks', name, 'path');
    if (type === 'file' && typeof path === 'string' && !path.includes('${replica}'))
      faults.push(
        doc.fault(
          ['sinks', name, 'path'],
          'replicas would write the same file',
          'write ${replica} into the path, audit-${replica}.ndjson',
        ),
      );
    if (type === 'stdout')
      warnings.push(
        doc.fault(
          ['sinks', name],
          'each replica writes the events of its own sources only',
          'collect the output of all of them',
          'key',
        ),
      );
  }
}

function checkReplicaSources(sources: readonly SourceConfig[], context: LoadContext): void {
  const { doc, faults } = context;
  for (const { name, connector } of sources) {
    if (connector.keepsTokens === true)
      faults.push(
        doc.fault(
          ['sources', name],
          'a refresh token that its issuer replaces is kept on one machine, and no other replica could go on with it',
          'read this source with a Penstock of its own that keeps its journal in a file, or let its connector authenticate another way',
          'key',
        ),
      );
    if (connector.kind === 'csv_directory' && writtenIn(context, 'sources', name, 'shared') !== true)
      faults.push(
        doc.fault(
          ['sources', name],
          'a directory of one machine cannot be read by whichever replica owns the source',
          'let every replica see it under the same path, and say so: shared: true',
          'key',
        ),
      );
  }
}

function checkRoutes({ sourceNames, sources, sinks, sinkNames }: Named, { doc, faults, warnings }: LoadContext): void {
  for (const sink of sinks) {
    for (const [index, source] of (sink.sources ?? []).entries()) {
      if (sourceNames.includes(source)) continue;
      const guess = nearest(source, sourceNames);
      const known = sourceNames.length === 0 ? 'there are no sources' : `sources: ${sourceNames.join(', ')}`;
      faults.push(
        doc.fault(
          ['sinks', sink.name, 'sources', index],
          `unknown source "${source}"`,
          `${guess === undefined ? '' : `did you mean "${guess}"? `}${known}`,
        ),
      );
    }
  }
  if (sinks.length < sinkNames.length) return;
  for (const { name, enabled } of sources) {
    if (!enabled || sinks.some((sink) => sink.enabled && (sink.sources === undefined || sink.sources.includes(name)))) continue;
    warnings.push(
      doc.fault(
        ['sources', name],
        'no sink takes this source',
        `add "${name}" to the sources: of a sink, or set enabled: false`,
        'key',
      ),
    );
  }
}

function checkSinksAtAll({ sinkNames, sinks, sourceNames }: Named, { doc, faults, warnings }: LoadContext): void {
  if (sourceNames.length === 0)
    warnings.push(doc.fault(['sources'], 'there is no source; nothing is collected', 'add one below sources:', 'key'));
  // What a list in the place of the map holds is told already.
  if (isObject(doc.value) && Array.isArray(doc.value['sinks'])) return;
  if (sinkNames.length === 0) {
    faults.push(
      doc.fault(
        ['sinks'],
        'there is no sink; events would go nowhere',
        'add one below sinks:, for example out: { type: stdout }',
        'key',
      ),
    );
  } else if (sinks.length === sinkNames.length && !sinks.some(({ enabled }) => enabled)) {
    faults.push(
      doc.fault(['sinks'], 'no sink is enabled; events would go nowhere', 'remove enabled: false from one of them', 'key'),
    );
  } else if (sinks.length === sinkNames.length && !sinks.some(({ enabled, whenFull }) => enabled && whenFull === 'wait')) {
    faults.push(
      doc.fault(
        ['sinks'],
        'every sink skips when the journal is full; events could be lost everywhere',
        'set when_full: wait on at least one',
        'key',
      ),
    );
  }
}

/** A misspelt action in a filter would silently do nothing. */
function checkSinkFilters({ sources, sinks, sourceNames }: Named, { doc, warnings }: LoadContext): void {
  const known = new Set(sources.flatMap(({ connector }) => connector.actions.map(({ key }) => key)));
  if (sources.length < sourceNames.length || known.size === 0) return;
  for (const { name, filter } of sinks) {
    for (const list of ['exclude_actions', 'only_actions'] as const) {
      for (const [index, action] of (filter[list] ?? []).entries()) {
        if (known.has(action)) continue;
        const guess = nearest(action, [...known]);
        const fix = guess === undefined ? 'compare it with "penstock actions CONNECTOR"' : `did you mean "${guess}"?`;
        warnings.push(doc.fault(['sinks', name, 'filter', list, index], `no source knows an action "${action}"`, fix));
      }
    }
  }
}

/** Two sources with one identity collect the same events twice. */
function checkTwins(sources: readonly SourceConfig[], { doc, warnings }: LoadContext): void {
  const first = new Map<string, string>();
  for (const { name, enabled, connector, identity } of sources) {
    if (!enabled || connector.kind === 'csv_directory' || Object.keys(identity).length === 0) continue;
    const key = JSON.stringify([connector.name, identity]);
    const twin = first.get(key);
    if (twin === undefined) first.set(key, name);
    else
      warnings.push(
        doc.fault(
          ['sources', name],
          `collects from the same place as source "${twin}": every event would be delivered twice`,
          'remove one of them',
          'key',
        ),
      );
  }
}

/** What `penstock init` left for its reader to fill in, and quotes that a word processor has bent: they are taken for letters. */
function warnOfTexts(value: unknown, at: YamlPath, context: LoadContext): void {
  const warn = (what: string, fix: string): void => void context.warnings.push(context.doc.fault(at, what, fix));
  if (typeof value === 'string') {
    for (const name of placeholdersIn(value)) warn(`"${name}" is a placeholder`, 'replace it with the value that it stands for');
    const unseen = unseenIn(value);
    if (unseen !== undefined) warn(...unseen);
    if (cutAtComment(value, at, context))
      warn('what follows # is a comment, and no part of the secret', 'put all of it into quotes, or write a blank after #');
    if (standsInBentQuotes(value)) warn('the curly quotes are part of the text', 'use plain quotes, " or \', or none');
  }
  const inner: Iterable<[string | number, unknown]> = Array.isArray(value)
    ? value.entries()
    : isObject(value)
      ? Object.entries(value)
      : [];
  for (const [step, item] of inner) warnOfTexts(item, [...at, step], context);
}

/** True for a secret behind which a comment begins like `#x`, as it may go on in a password. */
function cutAtComment(value: string, at: YamlPath, { doc }: LoadContext): boolean {
  return (
    /token|secret|password|key$/i.test(String(at.at(-1))) && !value.includes('${') && /^[^\s#!]/.test(doc.commentAfter(at) ?? '')
  );
}

interface Place {
  readonly at: YamlPath;
  readonly option?: string;
  readonly path?: string;
}

function pathOption(options: Options, names: readonly string[]): Omit<Place, 'at'> {
  const option = names.find((name) => typeof options[name] === 'string');
  return option === undefined ? {} : { option, path: String(options[option]) };
}

async function refuseSharing(
  places: readonly Place[],
  what: string,
  fix: string,
  { doc, faults }: LoadContext,
  files: Pick<Files, 'realpath'>,
): Promise<void> {
  const first = new Map<string, string>();
  for (const [{ at, option, path }, real] of await withRealPaths(places, files)) {
    if (path === undefined || option === undefined) continue;
    const other = first.get(real);
    const name = String(at[1]);
    if (other === undefined) first.set(real, name);
    else faults.push(doc.fault([...at, option], `${what} "${other}": ${path}`, fix));
  }
}

function withRealPaths(places: readonly Place[], files: Pick<Files, 'realpath'>): Promise<(readonly [Place, string])[]> {
  return Promise.all(
    places.map(async (place) => [place, place.path === undefined ? '' : await realPath(place.path, files)] as const),
  );
}

/** What Penstock keeps in `data_dir`. */
const ownNames = /^(?:(?:journal|credentials)\.|token$|penstock\.sock$)/;

/** A sink that appended to the journal or to the configuration would be the end of both. */
async function refuseOwnFiles(
  targets: readonly Place[],
  dataDir: unknown,
  { doc, faults }: LoadContext,
  files: Pick<Files, 'realpath'>,
): Promise<void> {
  const config = await realPath(resolve(doc.file), files);
  const folder = typeof dataDir === 'string' ? await realPath(resolve(dataDir), files) : undefined;
  for (const [{ at, option, path }, real] of await withRealPaths(targets, files)) {
    if (path === undefined || option === undefined) continue;
    if (real !== config && (dirname(real) !== folder || !ownNames.test(basename(real)))) continue;
    const fix = 'give the path of a file that only this sink writes';
    faults.push(doc.fault([...at, option], `this file is one of Penstock's own: ${path}`, fix));
  }
}
