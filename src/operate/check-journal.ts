import { asPenstockError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { engineOf, openConfiguredJournal } from '../runtime/configured-journal.ts';
import type { OpenContext } from '../runtime/open-runtime.ts';
import type { Finding } from './check.ts';

const looks = 5;
const mostNamed = 5;

/** Opens the database of the journal as a command does, and makes nothing: what of it would keep a replica from running is found. */
export async function checkDatabase(config: Config, { seams, log }: OpenContext): Promise<Finding> {
  const { url = '', schema } = config.journal.database ?? {};
  const { host, pathname } = new URL(url);
  const base = { kind: 'journal', name: schema ?? '', route: [`${host}${pathname}`] } as const;
  try {
    const lacks = await lacking(config);
    if (lacks !== undefined)
      return { ...base, ok: false, findings: [`the role of the database lacks ${lacks}`], fix: 'grant it what is missing' };
    await using journal = await openConfiguredJournal(config, { seams, log, role: 'observer', lockWaitMs: 0 });
    const replicas = (await journal.ownership.replicas()) ?? [];
    const times: number[] = [];
    for (let look = 0; look < looks; look += 1) {
      const began = seams.clock.monotonic();
      await journal.note('', 'check');
      times.push(seams.clock.monotonic() - began);
    }
    const median = times.sort((a, b) => a - b)[Math.floor(looks / 2)] ?? 0;
    const living = replicas.length === 0 ? 'no replica lives' : `${replicas.map(({ name }) => name).join(', ')} live`;
    return { ...base, ok: true, findings: [`answers within ${Math.ceil(median)} ms; ${living}`] };
  } catch (thrown) {
    const { code, message, fix } = asPenstockError(thrown);
    if (code === 'PEN_NOT_FOUND')
      return { ...base, ok: true, findings: ['answers; there is no journal yet, the first replica makes it'] };
    return { ...base, ok: false, findings: [message], fix };
  }
}

async function lacking(config: Config): Promise<string | undefined> {
  const engine = engineOf(config);
  if (engine.kind !== 'postgres') return undefined;
  const { missingRights } = await import('../journal/postgres/rights.ts');
  const missing = await missingRights(engine);
  if (missing.length === 0) return undefined;
  const more = missing.length > mostNamed ? `; and ${missing.length - mostNamed} more` : '';
  return `${missing.slice(0, mostNamed).join('; ')}${more}`;
}
