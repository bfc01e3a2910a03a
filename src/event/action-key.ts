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

/** Which actions a source or sink takes: normalised action keys. */
export interface ActionFilter {
  readonly exclude_actions?: readonly string[];
  readonly only_actions?: readonly string[];
}

/** Gives the test that is true for an action which the filter lets pass. What has no action cannot be judged by it, and passes. */
export function compileActionFilter({ exclude_actions, only_actions }: ActionFilter): (action: string | undefined) => boolean {
  const excluded = new Set(exclude_actions);
  const only = only_actions === undefined ? undefined : new Set(only_actions);
  return (action) => action === undefined || (!excluded.has(action) && only?.has(action) !== false);
}

/** The same filter with its actions in the form in which they are looked up: "Policy Updated" becomes `policy_updated`. */
export function normaliseActions({ exclude_actions, only_actions }: ActionFilter): ActionFilter {
  return { exclude_actions: exclude_actions?.map(normaliseKey), only_actions: only_actions?.map(normaliseKey) };
}
