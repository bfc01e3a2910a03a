// A feed has a few hundred actions and says them with every record; one that makes up new ones empties the memory, no more.
const mostKnown = 2000;
const longestKnown = 200;
const known = new Map<string, string>();

function normalise(action: string): string {
  return action
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^_|_$/g, '');
}

/**
 * The lookup form of a vendor's action: lower case, every run of other characters one underscore, none at the ends. "Policy Updated",
 * `policy_updated` and `policy.updated` are the same. Letters of every script count as letters.
 */
export function normaliseKey(action: string): string {
  const hit = known.get(action);
  if (hit !== undefined) return hit;
  const key = normalise(action);
  if (known.size >= mostKnown) known.clear();
  if (action.length <= longestKnown) known.set(action, key);
  return key;
}
