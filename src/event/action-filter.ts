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
