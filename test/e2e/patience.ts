/** How long anything is waited for before a test fails: not a budget, only longer than the slowest machine needs. */
export const patienceMs = 120_000;
