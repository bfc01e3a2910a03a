import { isObject } from '../base/json.ts';
import { namePattern } from './file-options.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';

/** The blocks below `sources:` or `sinks:`; a name that cannot be one is a fault. */
export function blocksOf(kind: 'sources' | 'sinks', blocks: unknown, { doc, faults }: LoadContext): NamedBlock[] {
  if (!isObject(blocks)) return [];
  return Object.entries(blocks).map(([name, raw]) => {
    if (!new RegExp(namePattern).test(name)) {
      const plain = name
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, '-')
        .replace(/^[-_]+/, '')
        .slice(0, 63);
      const fix = `use a to z, 0 to 9, "-" and "_", 63 at most${plain === '' ? '' : `: "${plain}"`}`;
      faults.push(doc.fault([kind, name], `"${name.slice(0, 80)}" cannot be a name`, fix, 'key'));
    }
    return { name, at: [kind, name], raw };
  });
}
