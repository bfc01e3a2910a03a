import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { createSecrets, type Secrets } from '../base/secrets.ts';
import { type Fault, faultsError, type YamlText } from '../base/yaml-faults.ts';
import { loadConnector } from '../connectors/index.ts';
import { sinkTypes } from '../sinks/index.ts';
import type { SinkType } from '../sinks/sink.ts';
import { type ObjectSchema, withPlaces } from './block-schemas.ts';
import type { Config, ConnectionConfig } from './config.ts';
import { checkTogether } from './cross-checks.ts';
import { FileOptions } from './file-options.ts';
import { FilesRead } from './files-read.ts';
import { interpolate, type ValueSources } from './interpolate.ts';
import type { LoadConnector, LoadContext, NamedBlock } from './load-context.ts';
import { blocksOf, parseConfig, parseTop, readText } from './parse-config.ts';
import { type Block, type BlockSchema, blockSchema, readBlock, soundPart } from './read-block.ts';
import { resolveSink } from './resolve-sink.ts';
import { resolveSource } from './resolve-source.ts';
import { resolveTop } from './resolve-top.ts';

const mostFaults = 100;

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: Files;
  /** A variable or secret file that is missing is no fault; for a check where they do not exist. Such a configuration cannot run. */
  readonly withoutSecrets?: boolean;
  /** Takes the secrets of the file in; a set of its own when absent. */
  readonly secrets?: Secrets;
  /** Folders of the shipped connectors; `connectors_dir` is looked up before them. */
  readonly connectorDirs: readonly string[];
  /** How connectors are loaded, unless a test says otherwise. */
  readonly loadConnector?: LoadConnector;
  /** Kinds of sinks; those that are shipped unless a test says otherwise. */
  readonly sinkTypes?: Readonly<Record<string, SinkType>>;
  /** Wall clock, for times that must not lie ahead. */
  readonly now?: () => number;
}

/**
 * Loads a configuration, or throws one PEN_CONFIG_INVALID that carries every fault of the file, each as `file:line:column (path): what`
 * with its fix. Nothing but files is touched.
 */
export async function loadConfig(path: string, given: LoadOptions): Promise<Config> {
  const files = new FilesRead(given.files);
  const options = { ...given, files: files.watched() };
  const doc = parseConfig(await readText(path, options.files), path);
  if (doc.faults.length > 0) throw allOf(doc.faults);
  if (!isObject(doc.value)) {
    const what = doc.value === null ? 'the file is empty' : 'the file is not a map of options';
    throw allOf([doc.fault([], what, 'write one with penstock init, or begin with config/penstock.example.yaml')]);
  }
  const config = await resolveFile(doc, doc.value, sourcesOf(path, options), options);
  files.leaveOut(Object.values(config.admin.tls ?? {}));
  return { ...config, files };
}

function sourcesOf(path: string, { env, files, secrets = createSecrets(), withoutSecrets = false }: LoadOptions): ValueSources {
  return { env, files, dir: dirname(resolve(path)), secrets, withoutSecrets };
}

/**
 * `data_dir` of a file, however faulty the file is: what of it can be read, else the default. Throws PEN_CONFIG_INVALID where there is no
 * such file.
 */
export async function readDataDir(path: string, options: Pick<LoadOptions, 'env' | 'files'>): Promise<string> {
  const { data_dir, dir } = await readTopPath('data_dir', path, options);
  return resolve(dir, data_dir);
}

/** The same of `connectors_dir`, which has no default. */
export async function readConnectorsDir(path: string, options: Pick<LoadOptions, 'env' | 'files'>): Promise<string | undefined> {
  const { connectors_dir: own, dir } = await readTopPath('connectors_dir', path, options);
  return own === undefined ? undefined : resolve(dir, own);
}

async function readTopPath(
  name: 'data_dir' | 'connectors_dir',
  path: string,
  options: Pick<LoadOptions, 'env' | 'files'>,
): Promise<FileOptions & { readonly dir: string }> {
  const text = await readText(path, options.files, { isRough: true });
  const top = parseTop(text, path);
  const doc = top.faults.length === 0 ? top : parseConfig(text, path);
  const line = new RegExp(`^${name}:[ \\t]*["']?([^"'#\\n]*[^"'#\\s])`, 'm').exec(text)?.[1];
  const written = isObject(doc.value) ? doc.value[name] : line;
  const from = sourcesOf(path, { ...options, withoutSecrets: true, connectorDirs: [] });
  const schema = schemaOf(FileOptions, () => FileOptions as unknown as ObjectSchema);
  const block = await readBlock(written === undefined ? {} : { [name]: written }, [], schema, doc, from);
  return { ...(soundPart(block, [], schema) as unknown as FileOptions), dir: from.dir };
}

/**
 * Where a file's journal is, if that is a database: read without the sources and sinks. Undefined where it is elsewhere, or cannot be told without
 * the rest of the file. Secrets may be missing.
 */
export async function readDatabase(
  path: string,
  given: LoadOptions,
): Promise<Pick<Config, 'data_dir' | 'journal' | 'replica'> | undefined> {
  const doc = parseTop(await readText(path, given.files), path);
  if (doc.faults.length > 0 || !isObject(doc.value) || !isObject(doc.value['journal'])) return undefined;
  if (doc.value['journal']['url'] === undefined) return undefined;
  try {
    return await resolveFile(doc, doc.value, sourcesOf(path, given), given, { isWhole: false });
  } catch (error) {
    if (error instanceof PenstockError && error.code === 'PEN_CONFIG_INVALID') return undefined;
    throw error;
  }
}

/** What this process is called stands in status and paths: it is no secret, wherever it comes from. */
async function namingReplica(doc: YamlText, file: Record<string, unknown>, sources: ValueSources) {
  const { value, faults } = await interpolate(file['replica'], doc, ['replica'], { ...sources, secrets: createSecrets() });
  const replica = isObject(value) && typeof value['name'] === 'string' ? value['name'] : hostname();
  const raw: Record<string, unknown> = { ...file, replica: value };
  return { raw, from: { ...sources, replica }, replicaFaults: faults };
}

async function resolveFile(
  doc: YamlText,
  file: Record<string, unknown>,
  sources: ValueSources,
  options: LoadOptions,
  { isWhole = true } = {},
): Promise<Omit<Config, 'files'>> {
  const { raw, from, replicaFaults } = await namingReplica(doc, file, sources);
  const schema = schemaOf(FileOptions, () => FileOptions as unknown as ObjectSchema);
  // Blocks are interpolated one by one, later; only their shape is looked at here.
  const readTop = (blocks: Record<'sources' | 'sinks', unknown>): Promise<Block> =>
    readBlock({ ...raw, ...blocks }, [], schema, doc, from);
  const top = await readTop({ sources: shapes(raw['sources']), sinks: shapes(raw['sinks']) });
  // Read anew for each source and sink: with all of them it would be quadratic.
  const context = openContext(doc, from, options, top, () => readTop({ sources: {}, sinks: {} }));
  const sourceBlocks = blocksOf('sources', raw['sources'], context);
  const sinkBlocks = blocksOf('sinks', raw['sinks'], context);
  context.faults.push(...replicaFaults);
  const collected = await inOrder(sourceBlocks, (block) => resolveSource(block, context));
  const sinks = await inOrder(sinkBlocks, (block) => resolveSink(block, context));
  const namesOf = (blocks: readonly NamedBlock[]): string[] => blocks.map(({ name }) => name);
  const named = { sources: collected, sinks, sourceNames: namesOf(sourceBlocks), sinkNames: namesOf(sinkBlocks) };
  if (isWhole) await checkTogether(named, top.value['data_dir'], context, options.files);
  const value = soundPart(top, [], schema);
  // Whatever was filled in from the environment or a file may be a secret, wherever it stands.
  const withoutFilledIn = (fault: Fault): Fault => scrubbed(fault, from.secrets);
  const settings = await resolveTop(value as unknown as FileOptions, context);
  if (context.faults.length > 0)
    throw allOf(context.faults.map((fault) => withPlaces(withoutFilledIn(fault), context.sinkTypes)));
  const warnings = context.warnings.map(withoutFilledIn);
  return { file: doc.file, ...settings, sources: collected, sinks, secrets: from.secrets, warnings };
}

function openContext(
  doc: YamlText,
  from: ValueSources,
  options: LoadOptions,
  top: Block,
  readTop: () => Promise<Block>,
): LoadContext {
  const own = top.value['connectors_dir'];
  const reread = async (): Promise<Block['value']> => {
    const { value, faults } = await readTop();
    if (faults.length > 0) throw faultsError('PEN_CONFIG_INVALID', faults);
    return value;
  };
  return {
    doc,
    from,
    places: { dirs: [...(typeof own === 'string' ? [own] : []), ...options.connectorDirs], files: options.files },
    loadConnector: loadOnce(options.loadConnector ?? loadConnector),
    sinkTypes: options.sinkTypes ?? sinkTypes,
    now: (options.now ?? Date.now)(),
    faults: [...top.faults],
    warnings: [],
    schemaOf,
    top: connectionAtTop(top.value),
    async readTop() {
      return connectionAtTop(await reread());
    },
    async readJournal() {
      return ((await reread()) as unknown as FileOptions).journal;
    },
  };
}

/** Hundreds of sources may share a connector: it is compiled once for all that bring no rows of their own, or the same file of them. */
function loadOnce(loadConnector: LoadConnector): LoadConnector {
  const known = new Map<string, ReturnType<LoadConnector>>();
  return (name, places, extras) => {
    const key = extras === undefined ? name : JSON.stringify([name, extras]);
    const loading = known.get(key) ?? (extras === undefined ? loadConnector(name, places) : loadConnector(name, places, extras));
    known.set(key, loading);
    return loading;
  };
}

function shapes(blocks: unknown): unknown {
  if (blocks === undefined || blocks === null) return {};
  return isObject(blocks)
    ? Object.fromEntries(Object.entries(blocks).map(([name, block]) => [name, isObject(block) ? {} : block]))
    : blocks;
}

function connectionAtTop(value: Record<string, unknown>): ConnectionConfig {
  const { proxy, tls } = value as unknown as FileOptions;
  return { proxy, tls };
}

// By what a schema is made for: a kind of sink, a connector.
const compiled = new WeakMap<object, BlockSchema>();

function schemaOf(owner: object, make: () => ObjectSchema): BlockSchema {
  const known = compiled.get(owner);
  if (known !== undefined) return known;
  const schema = blockSchema(make());
  compiled.set(owner, schema);
  return schema;
}

async function inOrder<T>(
  blocks: readonly NamedBlock[],
  resolveOne: (block: NamedBlock) => Promise<T | undefined>,
): Promise<T[]> {
  const found: T[] = [];
  for (const block of blocks) {
    const one = await resolveOne(block);
    if (one !== undefined) found.push(one);
  }
  return found;
}

function scrubbed(fault: Fault, secrets: Secrets): Fault {
  const what = secrets.scrub(fault.what);
  return fault.fix === undefined ? { ...fault, what } : { ...fault, what, fix: secrets.scrub(fault.fix) };
}

function allOf(faults: readonly Fault[]): PenstockError {
  if (faults.length <= mostFaults) return faultsError('PEN_CONFIG_INVALID', faults);
  const first = faultsError('PEN_CONFIG_INVALID', faults.slice(0, mostFaults));
  return new PenstockError('PEN_CONFIG_INVALID', `${first.message}\nand ${faults.length - mostFaults} more`, { cause: faults });
}
