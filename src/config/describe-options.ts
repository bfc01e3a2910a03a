import type { ObjectSchema, OptionSchema } from './block-schemas.ts';

interface Row {
  readonly option: string;
  readonly type: string;
  readonly fallback: string;
  readonly description: string;
}

/** A schema's options as a Markdown table: option, type, default, meaning. Options of maps within are listed under `map.option`. */
export function describeOptions(schema: ObjectSchema): string {
  const rows = rowsOf(schema, '');
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const line = (...cells: string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [
    line('option', 'type', 'default', 'meaning'),
    '| --- | --- | --- | --- |',
    ...rows.map(({ option, type, fallback, description }) => line(`\`${option}\``, type, fallback, description)),
    '',
  ].join('\n');
}

function rowsOf(schema: OptionSchema, prefix: string): Row[] {
  const required = (schema['required'] as readonly string[] | undefined) ?? [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    const hasParts = Object.keys(option.properties ?? {}).length > 0;
    const row = {
      option: path,
      type: typeOf(option),
      fallback: fallbackOf(option, required.includes(name), hasParts),
      description: option.description ?? '',
    };
    return [row, ...(hasParts ? rowsOf(option, `${path}.`) : [])];
  });
}

function typeOf(option: OptionSchema): string {
  if (option.const !== undefined) return `\`${JSON.stringify(option.const)}\``;
  if (option.enum !== undefined) return option.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (option.anyOf !== undefined) return option.anyOf.map(typeOf).join(' or ');
  if (option.type === 'object') return 'map';
  if (option.type === 'array') return `list of ${option.items === undefined ? 'values' : typeOf(option.items)}`;
  const pattern = typeof option['pattern'] === 'string' ? option['pattern'] : '';
  if (pattern.includes('(ms|s|m')) return pattern.includes('/') ? 'rate' : 'duration';
  if (pattern.includes('i?)?B$')) return 'size';
  const type =
    option.format === 'path'
      ? 'path'
      : option.format === 'uri'
        ? 'URL'
        : typeof option.type === 'string'
          ? option.type
          : 'anything';
  return option.secret === true ? `${type}, secret` : type;
}

function fallbackOf(option: OptionSchema, isRequired: boolean, hasParts: boolean): string {
  if (option.default !== undefined && !hasParts)
    return `\`${typeof option.default === 'string' ? option.default : JSON.stringify(option.default)}\``;
  return isRequired && option.default === undefined ? 'required' : '';
}
