/**
 * The lookup form of a vendor's action: lower case, every run of other characters one underscore, none at the ends. "Policy Updated",
 * `policy_updated` and `policy.updated` are the same. Letters of every script count as letters.
 */
export function normaliseKey(action: string): string {
  return action
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^_|_$/g, '');
}
