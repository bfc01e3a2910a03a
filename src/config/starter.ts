// A first configuration: one source, one sink, what they need and what it means. Secrets come from the environment, everything else that only
// its reader knows stands there as YOUR_NAME until it is replaced.
import { stringify } from 'yaml';
import { isObject } from '../base/json.ts';
import type { Connector } from '../connectors/connector.ts';
import { sinkTypes } from '../sinks/index.ts';
import { type ObjectSchema, type OptionSchema, sinkSchema } from './block-schemas.ts';
import { starters, type Values } from './sink-words.ts';

interface Starter {
  readonly connector: Pick<Connector, 'name' | 'options'>;
  /** One of {@link sinkChoices}. */
  readonly sink: string;
  /** What stands in the place of `YOUR_NAME`, by that name. */
  readonly answers?: Readonly<Record<string, string>>;
}

/** The text of a configuration with comments, and of the file with the variables that it reads. */
export function renderStarter({ connector, sink, answers = {} }: Starter): { readonly config: string; readonly env: string } {
  const type = starters[sink]?.['type'];
  const kind = sinkTypes[typeof type === 'string' ? type : sink];
  if (kind === undefined) throw new RangeError(`"${sink}" is no kind of sink`);
  const source = renderBlock(sourceOptions(connector), connector.options as OptionSchema, 6, answers);
  const target = renderBlock(starters[sink] ?? requiredOf(sinkSchema(kind), sink), sinkSchema(kind), 4, answers);
  const config = `# yaml-language-server: $schema=./penstock.schema.json
# From ${connector.name} to ${sink}. What begins with YOUR_ is to be replaced; variables of the environment are listed in .env.example.
# Then: penstock validate, penstock check, penstock run. Every option: config/penstock.example.yaml, or your editor with the schema.

data_dir: ./data             # the journal: on a local disk, for one daemon at a time
# admin: { listen: 127.0.0.1:8690 }        # health, metrics and a page
# journal: { max_bytes: 2GiB, keep: 7d }   # collection pauses when it is full; delivered records stay for replay

sources:
  ${connector.name}:${' '.repeat(Math.max(1, 26 - connector.name.length))}# a name of your choice; the cursor belongs to it
    connector: ${connector.name}
    options:
${source}
    start: 24h               # how far back the first run reads; afterwards only what is new
    # schedule: 5m           # how often it is asked; or a cron expression in quotes, with timezone

sinks:
  ${sink}:
${target}
    # filter: { min_severity: low }   # leave out what is less severe; also only_actions, exclude_actions
`;
  return { config, env: renderEnv(config) };
}

/** Names that the text still has to be told, in its order: `YOUR_ORG_ID`. */
export function placeholdersIn(text: string): string[] {
  return [...new Set(withoutComments(text).match(/\bYOUR_[A-Z0-9_]*[A-Z0-9]/g) ?? [])];
}

const withoutComments = (text: string): string => text.replaceAll(/^\s*#.*$|\s#\s.*$/gm, '');

function renderEnv(config: string): string {
  const lines = config.split('\n').flatMap((line, index, all) => {
    const names = [...line.matchAll(/\$\{env:([^}]+)\}/g)].map(([, name = '']) => `${name}=`);
    const about = all[index - 1]?.trim() ?? '';
    return names.length === 0 ? [] : [...(about.startsWith('# ') ? [about] : []), ...names, ''];
  });
  const head = '# Copy it to .env, readable by nobody else, and fill it in. In a shell: set -a; . ./.env; set +a\n';
  return [head, ...(lines.length === 0 ? ['# This configuration reads no variable.', ''] : lines)].join('\n');
}

const isSecret = (name: string, schema: OptionSchema): boolean =>
  schema.secret === true || /(^|_)(token|secret|password|api_key)$/.test(name);

function sourceOptions({ name, options }: Pick<Connector, 'name' | 'options'>): Values {
  return requiredOf(options as ObjectSchema, name);
}

/** A value for each required option: the variable of a secret, a path, or the name of what is to be filled in. */
function requiredOf({ properties, required = [] }: ObjectSchema, owner: string): Values {
  const prefix = owner.toUpperCase().replaceAll('-', '_');
  const values = required.map((name) => [name, firstValue(name, properties[name] ?? {}, prefix, owner)]);
  return Object.fromEntries(values) as Values;
}

function firstValue(name: string, schema: OptionSchema, prefix: string, owner: string): unknown {
  const { type, format, const: only, enum: words } = schema as Readonly<Record<string, unknown>>;
  const upper = name.toUpperCase();
  if (only !== undefined) return only;
  if (Array.isArray(words)) return words[0] as unknown;
  if (isSecret(name, schema)) return `\${env:${prefix}_${upper}}`;
  if (format === 'path') return `./${owner}`;
  if (format === 'uri') return `${name.includes('websocket') ? 'wss' : 'https'}://YOUR_${upper.replace(/_UR[IL]$/, '_HOST')}`;
  if (type === 'array' || (Array.isArray(type) && type.includes('array'))) return [`YOUR_${upper}`];
  if (type === 'integer' || type === 'number') return (schema as { minimum?: number }).minimum ?? 1;
  return type === 'boolean' ? false : `${literalStart(schema)}YOUR_${upper}`;
}

/** What every value of a pattern begins with: `SHA256:` of `^SHA256:.+$`. */
function literalStart(schema: OptionSchema): string {
  const { pattern } = schema as { readonly pattern?: unknown };
  return typeof pattern === 'string' ? (/^\^([\w:/-]*)(?![\w:/?*{+|-])/.exec(pattern)?.[1] ?? '') : '';
}

/** Options, each below a comment that says what it is. */
function renderBlock(values: Values, schema: OptionSchema, indent: number, answers: Readonly<Record<string, string>>): string {
  const margin = ' '.repeat(indent);
  const lines = Object.entries(values).flatMap(([name, value]) => {
    const option: OptionSchema = schema.properties?.[name] ?? {};
    const about = indent > 4 || name !== 'type' ? option.description : undefined;
    // What the value is written as can be seen below.
    const comment = about === undefined ? [] : [`${margin}# ${about.replace(/ Write \$\{.*/, '')}`];
    if (isObject(value)) return [...comment, `${margin}${name}:`, renderBlock(value, option, indent + 2, answers)];
    const items = Array.isArray(value) ? value.map((item: unknown) => `${margin}  - ${scalar(item, answers)}`) : [];
    return [...comment, items.length > 0 ? `${margin}${name}:` : `${margin}${name}: ${scalar(value, answers)}`, ...items];
  });
  return lines.join('\n');
}

function scalar(value: unknown, answers: Readonly<Record<string, string>>): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return stringify(answered(value, answers), { lineWidth: 0 }).trimEnd();
}

/** An answer that is given as a whole, with what stands before the name, takes the place of the whole. */
function answered(value: string, answers: Readonly<Record<string, string>>): string {
  return placeholdersIn(value).reduce((text, name) => {
    const answer = answers[name];
    if (answer === undefined || answer === '') return text;
    const before = text.slice(0, text.indexOf(name));
    const isWhole = /^[a-z]+:\/\//.test(answer) && text.includes('://');
    if (isWhole) return answer;
    return text.replace(name, () => (answer.startsWith(before) ? answer.slice(before.length) : answer));
  }, value);
}
