import { isObject } from '../base/json.ts';
import { durationMs } from '../base/quantity.ts';
import { compileSchema } from '../base/schema.ts';
import { schemaFaults } from '../base/schema-faults.ts';
import { type Fault, faultsError, type YamlText } from '../base/yaml-faults.ts';
import { type ActionTable, ActionTableSpec, checkActions, compileActions, compileMapper } from '../event/index.ts';
import { mergeTables, summarise } from './action-tables.ts';
import { type Bundle, type BundledFile, bundleHash, bundleText, mergeSections, parseBundle, readYaml } from './bundle.ts';
import { checkConnector } from './check.ts';
import type { Connector, Reader, ReaderDeps, StreamReader } from './connector.ts';
import { type ConnectorSpec, connectorSchema, type RecordSpec } from './connector-schema.ts';
import { openDirectoryReader } from './csv-directory/directory-reader.ts';
import { compileCursorPlan, openCursorReader, windowOfCursor } from './http-cursor/cursor-reader.ts';
import { isOfWindow } from './http-window/groups.ts';
import { compileWindowPlan } from './http-window/plan.ts';
import { boundStepMs, precisionMs } from './http-window/request.ts';
import { openWindowReader } from './http-window/window-reader.ts';
import { identityOf, optionScope, optionsSchema, secretsOf } from './options.ts';
import { compileUrl } from './origin.ts';
import { openStreamReader } from './pulsar-websocket/stream-reader.ts';
import type { ReadDefaults } from './read-defaults.ts';
import { type HttpWindowSpec, readKinds } from './read-section.ts';
import { compileRecordRules, compileSplit } from './record-rules.ts';
import { epochFormats } from './request-section.ts';
import { compileTemplate } from './template.ts';

/** Compiles a connector out of the text that the journal keeps; throws PEN_CONNECTOR_INVALID with all faults. */
export function compileConnector(text: string, origin = 'the journal'): Connector {
  return compileBundle(parseBundle(text), origin);
}

/** Compiles a connector out of its files; throws PEN_CONNECTOR_INVALID with every fault of all of them, each with file, line and column. */
export function compileBundle(bundle: Bundle, origin: string): Connector {
  const text = bundleText(bundle);
  const key = `${origin}\n${bundleHash(text)}`;
  const known = compiled.get(key) ?? compile(bundle, text, origin);
  if (compiled.size >= mostCompiled) compiled.clear();
  compiled.set(key, known);
  return known;
}

// A table of a thousand actions takes half a second to read, and a reload finds most connectors as they were.
const compiled = new Map<string, Connector>();
const mostCompiled = 100;

function compile(bundle: Bundle, text: string, origin: string): Connector {
  const { spec, table } = parse(bundle);
  const read = compileRead(spec);
  const mapper = compileMapper({ table, map: spec.map, record: spec.record });
  const tenant = spec.tenant === undefined ? undefined : compileTemplate(spec.tenant);
  return {
    name: spec.name,
    hash: bundleHash(text),
    text,
    origin,
    options: optionsSchema(spec.options),
    kind: spec.read.kind,
    readsByTime: spec.read.kind === 'http_window' || (spec.read.kind === 'http_cursor' && spec.read.range !== undefined),
    keepsTokens: spec.auth?.oauth2_refresh_token !== undefined,
    defaults: readDefaults(spec),
    records: compileRecordRules(spec.record, table.spec.source),
    mapper,
    actions: table.actions.map(summarise),
    open: (options: Readonly<Record<string, unknown>>, deps: ReaderDeps): Reader => read.open(options, deps),
    tenant: (options) => tenant?.render(optionScope(options)),
    identity: (options) => ({ ...read.origin(options), ...identityOf(spec.options, options) }),
  };
}

interface Parsed {
  readonly spec: ConnectorSpec;
  readonly table: ActionTable;
}

function parse({ connectors, actions }: Bundle): Parsed {
  const doc = mergeSections(connectors);
  const connector = parseConnector(doc);
  const tables = parseTables(actions);
  const faults = [...connector.faults, ...tables.faults];
  if (connector.spec !== undefined && tables.table !== undefined && faults.length === 0)
    return { spec: connector.spec, table: compileActions(tables.table) };
  throw faultsError('PEN_CONNECTOR_INVALID', faults);
}

const validators = new Map<string, ReturnType<typeof compileSchema<ConnectorSpec>>>();

function validatorOf(kind: keyof typeof readKinds): ReturnType<typeof compileSchema<ConnectorSpec>> {
  const known = validators.get(kind) ?? compileSchema<ConnectorSpec>(connectorSchema(kind));
  validators.set(kind, known);
  return known;
}

function parseConnector(doc: YamlText): { readonly spec?: ConnectorSpec; readonly faults: readonly Fault[] } {
  if (doc.faults.length > 0) return { faults: doc.faults };
  const read = isObject(doc.value) ? doc.value['read'] : undefined;
  const kind = isObject(read) ? read['kind'] : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(readKinds, kind)) {
    return {
      faults: [
        doc.fault(
          ['read', 'kind'],
          'the kind of reading is missing or unknown',
          `set read.kind to one of ${Object.keys(readKinds).join(', ')}`,
        ),
      ],
    };
  }
  const validate = validatorOf(kind as keyof typeof readKinds);
  const { value } = doc;
  if (!validate(value)) return { faults: schemaFaults(validate.errors, doc) };
  return { spec: value, faults: checkConnector(value, doc) };
}

let validateTable: ReturnType<typeof compileSchema<ActionTableSpec>> | undefined;

function parseTables(files: readonly BundledFile[]): { readonly table?: ActionTableSpec; readonly faults: readonly Fault[] } {
  const [first, ...overlays] = files.map(readYaml);
  if (first === undefined) return { faults: [] };
  validateTable ??= compileSchema<ActionTableSpec>(ActionTableSpec);
  const { value, doc, faults } = mergeTables(first, overlays);
  if (faults.length > 0) return { faults };
  if (!validateTable(value)) return { faults: schemaFaults(validateTable.errors, doc) };
  return { table: value, faults: checkActions(value).map(({ path, what, fix }) => doc.fault(path, what, fix)) };
}

const day = 86_400_000;

function readDefaults({ read }: ConnectorSpec): ReadDefaults {
  const window = read.kind === 'http_window' ? read.window : read.kind === 'http_cursor' ? windowOfCursor(read) : undefined;
  const retentionText = 'retention' in read ? read.retention : window?.retention;
  const ms = (text: string | undefined, otherwise: number): number => (text === undefined ? otherwise : durationMs(text));
  return {
    scheduleMs: read.kind === 'pulsar_websocket' ? 60_000 : durationMs(read.schedule),
    overlapMs: ms(window?.overlap, 0),
    settleMs: ms(window?.settle, 0),
    maxMs: ms(window?.max, day),
    minMs: ms(window?.min, 60_000),
    precisionMs: window === undefined ? 1 : precisionMs(window),
    epoch: epochFormats.find((format) => format === window?.format),
    retentionMs: retentionText === undefined ? undefined : durationMs(retentionText),
    ascending: read.kind === 'http_window' && read.ascending === true,
    ...(read.kind === 'http_window' ? { strayMs: strayMs(read) } : {}),
    cap: read.kind === 'http_window' ? read.page.cap : read.kind === 'http_cursor' ? read.range?.page?.cap : undefined,
    maxPages: ('max_pages' in read ? read.max_pages : undefined) ?? 10_000,
    seenDays: read.seen_days ?? 10,
  };
}

/** Records of files are as old as they are. Bounds that are days take all of their days in, also that of the end. */
function strayMs({ groups, window }: HttpWindowSpec): number {
  return groups !== undefined && isOfWindow(groups) ? Number.POSITIVE_INFINITY : 2 * boundStepMs(window);
}

type Options = Readonly<Record<string, unknown>>;

/** How a connector reads: opens readers and says which origin they go to. */
interface CompiledRead {
  open(options: Options, deps: ReaderDeps): Reader;
  /** `{ origin }`, or nothing for what has none. */
  origin(options: Options): Readonly<Record<string, string>>;
}

/** Compiles `read:` and `auth:` once for all sources of a connector. */
function compileRead({ read, auth, record, options: specs }: ConnectorSpec): CompiledRead {
  if (read.kind === 'http_window') {
    const plan = compileWindowPlan(read, auth, record);
    return {
      open: (options, deps) => openWindowReader(plan, optionScope(options), secretsOf(specs, options), deps),
      origin: (options) => ({ origin: plan.request.origin(optionScope(options)) }),
    };
  }
  if (read.kind === 'http_cursor') {
    const plan = compileCursorPlan(read, auth, record);
    return {
      open: (options, deps) => openCursorReader(plan, optionScope(options), secretsOf(specs, options), deps),
      origin: (options) => ({ origin: plan.cursor.request.origin(optionScope(options)) }),
    };
  }
  if (read.kind === 'csv_directory') {
    const directory = compileTemplate(read.directory);
    return {
      open: (options, deps) => openDirectoryReader(read, directory.render(optionScope(options)) ?? '', deps),
      origin: () => ({}),
    };
  }
  const service = compileUrl(read.url);
  return {
    open: (options, deps) => splitting(openStreamReader(read, optionScope(options), secretsOf(specs, options), deps), record),
    origin: (options) => ({ origin: service.origin(optionScope(options)) }),
  };
}

/** A stream whose messages may hold several events. */
function splitting(reader: StreamReader, record: RecordSpec): StreamReader {
  const split = compileSplit(record);
  const run: StreamReader['run'] = (handlers, signal) =>
    reader.run(
      {
        ...handlers,
        onMessages: (messages) =>
          handlers.onMessages(messages.map((message) => ({ ...message, records: message.records.flatMap(split) }))),
      },
      signal,
    );
  return record.each === undefined ? reader : Object.assign(reader, { run });
}
