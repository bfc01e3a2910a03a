import { resolve } from 'node:path';
import { asPenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import { durationMs, parseDuration } from '../base/quantity.ts';
import { formatPath, type YamlPath } from '../base/yaml-faults.ts';
import type { Connector } from '../connectors/connector.ts';
import type { ConnectorExtras } from '../connectors/index.ts';
import type { ReadDefaults } from '../connectors/read-defaults.ts';
import { normaliseActions } from '../sinks/common-options.ts';
import { type ObjectSchema, sourceSchema, withPlaces } from './block-schemas.ts';
import type { Options, Refreshable, SourceConfig } from './config.ts';
import { checkTls, plaintextFaults, refreshable, urlsIn } from './connection.ts';
import { interpolate } from './interpolate.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';
import { readBlock, soundPart } from './read-block.ts';
import { SourceOptions } from './source-options.ts';
import { checkSourceTimes, readSchedule, readStart } from './times.ts';

/** Turns one block under `sources:` into a source; undefined when it has faults, which stand in the context then. */
export async function resolveSource(block: NamedBlock, context: LoadContext): Promise<SourceConfig | undefined> {
  const connector = await connectorOf(block, context);
  const schema = context.schemaOf(connector ?? SourceOptions, () =>
    connector === undefined ? (SourceOptions as unknown as ObjectSchema) : sourceSchema(connector),
  );
  const read = await readBlock(block.raw, block.at, schema, context.doc, context.from);
  const before = context.faults.length;
  const own = connector === undefined ? [] : [['', 'a source', { properties: { options: connector.options } }] as const];
  context.faults.push(...read.faults.map((fault) => withPlaces(fault, {}, own)));
  if (connector === undefined) return undefined;
  const value = soundPart(read, block.at, schema);
  await checkTls((value as SourceOptions).tls, block.at, context);
  const settings = settingsOf(value as SourceOptions, connector, block, context);
  const isPlainAllowed = value['allow_plaintext'] === true;
  const plain = plaintextFaults(urlsIn(value['options'], [...block.at, 'options']), isPlainAllowed, context.doc);
  (isPlainAllowed ? context.warnings : context.faults).push(...plain);
  if (context.faults.length > before) return undefined;
  const base = await refreshable(read, block, schema, context, (value) => value['options'] as Options);
  const names = namesOf(connector, base.options, block, context);
  // Files are read without the network.
  const isOwn = (value as SourceOptions).tls !== undefined;
  const http = connector.kind === 'csv_directory' && !isOwn ? { ...base.http, tls: undefined } : base.http;
  return names && { ...base, http, key: `${base.key} ${connector.hash}`, ...settings, name: block.name, connector, ...names };
}

/** Whose events a source has; undefined, with a fault, where they are of an address that is none. */
function namesOf(
  connector: Connector,
  options: Options,
  { at }: NamedBlock,
  { doc, faults }: LoadContext,
): Pick<SourceConfig, 'tenant' | 'identity'> | undefined {
  try {
    return { tenant: connector.tenant(options), identity: connector.identity(options) };
  } catch (error) {
    const { message, where, fix } = asPenstockError(error);
    if (where?.startsWith('options.') !== true) throw error;
    faults.push(doc.fault([...at, ...where.split('.')], message, fix));
    return undefined;
  }
}

async function connectorOf({ raw, at }: NamedBlock, context: LoadContext): Promise<Connector | undefined> {
  const written = isObject(raw) ? raw['connector'] : undefined;
  const { value: name } = await interpolate(written, context.doc, [...at, 'connector'], context.from);
  if (typeof name !== 'string' || name === '') return undefined;
  const actions = actionRows(isObject(raw) ? raw['actions'] : undefined, [...at, 'actions'], context);
  try {
    return await context.loadConnector(name, context.places, ...(actions.length === 0 ? [] : [{ actions }]));
  } catch (error) {
    const { message, where, fix } = asPenstockError(error);
    const what = where === undefined ? message : `${where}: ${message}`;
    const key = actions.length > 0 && (await loadsAlone(name, context)) ? 'actions' : 'connector';
    const remedy = key === 'actions' ? 'correct these rows' : `correct the connector "${name}"`;
    context.faults.push(context.doc.fault([...at, key], what, fix ?? remedy));
    return undefined;
  }
}

/** True when a connector is sound without the rows of its source: the fault lies in them. */
async function loadsAlone(name: string, { loadConnector, places }: LoadContext): Promise<boolean> {
  return loadConnector(name, places).then(
    () => true,
    () => false,
  );
}

type Settings = Omit<SourceConfig, 'name' | 'connector' | 'tenant' | 'identity' | keyof Refreshable>;

function settingsOf(options: SourceOptions, connector: Connector, block: NamedBlock, context: LoadContext): Settings {
  const { defaults } = connector;
  const optional = (text: string | undefined): number | undefined => (text === undefined ? undefined : durationMs(text));
  warnOfUnknownActions(options.filter, connector, block, context);
  warnOfSweep(options, connector, block, context);
  const retentionMs = optional(options.retention) ?? defaults.retentionMs;
  const settings: Settings = {
    enabled: options.enabled,
    schedule: readSchedule(options, block.at, context) ?? { everyMs: defaults.scheduleMs },
    start: readStart(options.start, [...block.at, 'start'], { retentionMs, connector }, context),
    rateLimit: options.rate_limit === undefined ? undefined : readRate(options.rate_limit),
    window: windowOf(options.window, defaults),
    filter: normaliseActions(options.filter),
    selfEvents: options.self_events,
    retentionMs,
    expectEventsWithinMs: optional(options.expect_events_within),
    credentialExpires: undefined,
    sweep:
      options.sweep === undefined
        ? undefined
        : { everyMs: durationMs(options.sweep.every), backMs: durationMs(options.sweep.back) },
    labels: options.labels ?? [],
    validate: options.validate,
  };
  return { ...settings, credentialExpires: checkSourceTimes(settings, options, block.at, context) };
}

function windowOf(window: SourceOptions['window'], defaults: ReadDefaults): SourceConfig['window'] {
  return {
    overlapMs: window.overlap === undefined ? defaults.overlapMs : durationMs(window.overlap),
    settleMs: window.settle === undefined ? defaults.settleMs : durationMs(window.settle),
    maxMs: window.max === undefined ? defaults.maxMs : durationMs(window.max),
    minMs:
      window.min === undefined
        ? Math.min(defaults.minMs, window.max === undefined ? defaults.minMs : durationMs(window.max))
        : durationMs(window.min),
  };
}

function warnOfSweep({ sweep }: SourceOptions, { kind }: Connector, { at }: NamedBlock, { doc, warnings }: LoadContext): void {
  if (sweep === undefined || kind === 'http_window') return;
  const why = kind === 'http_cursor' ? 'late events come by its cursor' : 'it is not read by time';
  warnings.push(doc.fault([...at, 'sweep'], `a sweep does nothing for this source: ${why}`, 'remove it', 'key'));
}

/** `60/1m`, or `60/m` for one of the unit. */
function readRate(text: string): { readonly count: number; readonly perMs: number } {
  const [count = '1', per = '1s'] = text.split('/');
  return { count: Number(count), perMs: parseDuration(/^\d/.test(per) ? per : `1${per}`) ?? 1000 };
}

function warnOfUnknownActions(
  filter: SourceOptions['filter'],
  connector: Connector,
  { at }: NamedBlock,
  { doc, warnings }: LoadContext,
): void {
  const keys = connector.actions.map(({ key }) => key);
  for (const list of ['exclude_actions', 'only_actions'] as const) {
    for (const [index, action] of (filter[list] ?? []).entries()) {
      const key = normaliseActions({ [list]: [action] })[list]?.[0] ?? '';
      if (keys.includes(key)) continue;
      const guess = nearest(key, keys);
      const fix = guess === undefined ? `compare it with "penstock actions ${connector.name}"` : `did you mean "${guess}"?`;
      warnings.push(doc.fault([...at, 'filter', list, index], `no action "${action}" is known`, fix));
    }
  }
}

/** A source's own action rows as the connectors room takes them: the file that it names, or the rows written there as a text. */
function actionRows(written: unknown, at: YamlPath, { doc, from }: LoadContext): NonNullable<ConnectorExtras['actions']> {
  if (typeof written === 'string' && written !== '') return [resolve(from.dir, written)];
  if (!Array.isArray(written)) return [];
  return [{ file: `${doc.file} (${formatPath(at)})`, text: JSON.stringify({ actions: written as unknown[] }) }];
}
