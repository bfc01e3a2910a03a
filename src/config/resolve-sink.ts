import { isObject } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import { durationMs, sizeBytes } from '../base/quantity.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import { dropFaults } from '../event/index.ts';
import { type CommonSinkOptions, normaliseActions, severities } from '../sinks/common-options.ts';
import type { SinkType } from '../sinks/sink.ts';
import { sinkSchema } from './block-schemas.ts';
import type { ConnectionConfig, Options, Refreshable, SinkConfig } from './config.ts';
import { checkTls, plaintextFaults, refreshable, urlsIn } from './connection.ts';
import { interpolate, pathKey } from './interpolate.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';
import { type Block, readBlock, soundPart, splitPath } from './read-block.ts';
import { typeFor } from './sink-words.ts';
import { readPastTime } from './times.ts';

/** Turns one block under `sinks:` into a sink; undefined when it has faults, which stand in the context then. */
export async function resolveSink(block: NamedBlock, context: LoadContext): Promise<SinkConfig | undefined> {
  const kind = await kindOf(block, context);
  if (kind === undefined) return undefined;
  const schema = context.schemaOf(kind, () => sinkSchema(kind));
  const read = await readBlock(block.raw, block.at, schema, context.doc, context.from);
  const before = context.faults.length;
  context.faults.push(...read.faults);
  const common = soundPart(read, block.at, schema) as unknown as CommonSinkOptions;
  const settings = settingsOf(common, kind, block, context);
  checkDrop(settings, block, context);
  await checkTls(common.tls, block.at, context);
  if (common.proxy !== undefined && kind.speaksHttp !== true)
    context.faults.push(context.doc.fault([...block.at, 'proxy'], `${kind.name} cannot use a proxy`, 'remove proxy'));
  if (read.faults.length > 0) return undefined;
  const connection = usesTls(kind) ? context : withoutTls(context);
  const base = await refreshable(read, block, schema, connection, (value, http) => ownOptions(kind, value, http));
  checkOwnRules(kind, base.options, read, block, context);
  if (context.faults.length > before) return undefined;
  return { ...base, ...settings, name: block.name, type: kind.name, sinkType: kind };
}

async function kindOf({ raw, at }: NamedBlock, { doc, from, faults, sinkTypes }: LoadContext): Promise<SinkType | undefined> {
  const names = Object.keys(sinkTypes);
  const report = (path: YamlPath, what: string, fix: string): undefined => void faults.push(doc.fault(path, what, fix));
  if (!isObject(raw)) return report(at, 'must be a map of options', 'write its options below it, indented: type, ...');
  const { value } = await interpolate(raw['type'], doc, [...at, 'type'], from);
  if (value === undefined) return report(at, '"type" is missing', `add "type", one of ${names.join(', ')}`);
  const name = typeof value === 'string' ? value : JSON.stringify(value);
  const kind = Object.hasOwn(sinkTypes, name) ? sinkTypes[name] : undefined;
  if (kind !== undefined) return kind;
  const guess = nearest(name, names);
  const meant = guess === undefined ? typeFor(name, names) : `"${guess}"`;
  return report(
    [...at, 'type'],
    `unknown type "${name}"`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}possible here: ${names.join(', ')}`,
  );
}

const propertiesOf = ({ options }: SinkType): object => (options as { properties?: object }).properties ?? {};
const usesTls = (kind: SinkType): boolean => kind.speaksHttp === true || Object.hasOwn(propertiesOf(kind), 'tls');

/** What stands at the top of the file is for those that have a use for it: an authority that cannot be read is nothing to a file sink. */
const withoutTls = (context: LoadContext): LoadContext => ({
  ...context,
  top: { ...context.top, tls: undefined },
  readTop: async () => ({ ...(await context.readTop()), tls: undefined }),
});

/** The options of the kind itself. One that describes `tls` opens its own sockets and gets what stands at the top of the file, too. */
function ownOptions(kind: SinkType, value: Readonly<Record<string, unknown>>, http: ConnectionConfig): Options {
  const properties = propertiesOf(kind);
  const own = Object.fromEntries(Object.entries(value).filter(([key]) => Object.hasOwn(properties, key)));
  return Object.hasOwn(properties, 'tls') && http.tls !== undefined ? { ...own, tls: http.tls } : own;
}

function checkOwnRules(
  kind: SinkType,
  options: Options,
  read: Block,
  { at }: NamedBlock,
  { doc, faults, warnings }: LoadContext,
): void {
  for (const [path, what, fix] of kind.check?.(options) ?? []) {
    const place = [...at, ...splitPath(path)];
    if (!read.fillings.blank.has(pathKey(place))) faults.push(doc.fault(place, what, fix));
  }
  const isAllowed = read.value['allow_plaintext'] === true;
  const places = urlsIn(options, at);
  const urls = kind.urls(options).map((url) => ({ url, path: places.find((place) => url.startsWith(place.url))?.path ?? at }));
  (isAllowed ? warnings : faults).push(...plaintextFaults(urls, isAllowed, doc));
}

type Settings = Omit<SinkConfig, 'name' | 'type' | 'sinkType' | keyof Refreshable>;

function settingsOf(options: CommonSinkOptions, kind: SinkType, { at }: NamedBlock, context: LoadContext): Settings {
  const { min_severity: least, ...actions } = options.filter;
  return {
    enabled: options.enabled,
    sources: options.sources,
    filter: { ...normaliseActions(actions), min_severity: least === undefined ? undefined : severityId(least) },
    format: options.format ?? kind.defaultFormat,
    includeRaw: options.include_raw,
    drop: options.drop,
    start: readSinkStart(options.start, [...at, 'start'], context),
    batch: { events: options.batch.events, bytes: sizeBytes(options.batch.bytes), waitMs: durationMs(options.batch.wait) },
    inFlight: options.in_flight,
    timeoutMs: durationMs(options.timeout),
    backoffMaxMs: durationMs(options.backoff_max),
    holdProbeMs: durationMs(options.hold_probe),
    stalledAfterMs: durationMs(options.stalled_after),
    maxDeadLetters: options.max_dead_letters,
    whenFull: options.when_full,
    labels: options.labels ?? [],
  };
}

function checkDrop({ drop, format }: Settings, { at }: NamedBlock, { doc, faults }: LoadContext): void {
  for (const { index, what, fix } of dropFaults(drop, format)) faults.push(doc.fault([...at, 'drop', index], what, fix));
}

function severityId(severity: string | number): number {
  return typeof severity === 'number' ? severity : severities.indexOf(severity as (typeof severities)[number]) + 1;
}

function readSinkStart(text: string, at: YamlPath, context: LoadContext): SinkConfig['start'] {
  if (text === 'now' || text === 'oldest') return text;
  return readPastTime(text, at, 'now, oldest or an RFC 3339 time', context) ?? 'now';
}
