/**
 * What all randomness of a run begins with: the same in every run of the gate, so that a red one is about the change. FUZZ_SEED=new draws one,
 * FUZZ_SEED=N plays one again; a test that fails prints it.
 */
const given = process.env['FUZZ_SEED'] ?? '20261129';
export const seed = given === 'new' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
