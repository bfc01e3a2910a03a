import { normaliseKey } from '../sinks/common-options.ts';

interface ActionFilter {
  readonly exclude_actions?: readonly string[];
  readonly only_actions?: readonly string[];
}

/** The actions of a filter in the form in which they are looked up: "Policy Updated" becomes `policy_updated`. */
export function normaliseActions(filter: ActionFilter): ActionFilter {
  return {
    exclude_actions: filter.exclude_actions?.map(normaliseKey),
    only_actions: filter.only_actions?.map(normaliseKey),
  };
}
