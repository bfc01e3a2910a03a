// Certificates that end. Whoever they are shown to refuses us then, all at once, and nobody has told before.
import { sleep } from '../base/clock.ts';
import { answerInTime } from '../base/file-turns.ts';
import type { Log } from '../base/log.ts';
import { validityOf } from '../base/pem.ts';
import { dayMs, formatDuration } from '../base/quantity.ts';
import type { Seams } from '../base/seams.ts';
import type { Config, ConnectionConfig } from '../config/config.ts';
import type { Problem } from '../operate/report/status.ts';

/** Credentials of sources are announced as early. */
const longestNoticeMs = 14 * dayMs;
/** One that lives for a week is not renewed two weeks ahead. */
const noticeShare = 1 / 4;

const renewed = 'put the renewed certificate and its key into the same files';
const kinds = {
  client: { words: 'the client certificate', fix: `${renewed}, then: penstock reload` },
  authority: {
    words: 'the authority',
    fix: 'add the new authority to the file before the other side has a certificate of it, then: penstock reload',
  },
  port: { words: 'the certificate of the port', fix: `${renewed}: they are used within half a minute` },
} as const;

/** A file with certificates, and whose it is. */
interface Use {
  readonly where: string;
  readonly path: string;
  readonly kind: keyof typeof kinds;
}

function usesOf(where: string, { tls }: ConnectionConfig): Use[] {
  const { cert_file: cert, ca_file: ca } = tls ?? {};
  return [
    ...(cert === undefined ? [] : [{ where, path: cert, kind: 'client' } as const]),
    ...(ca === undefined ? [] : [{ where, path: ca, kind: 'authority' } as const]),
  ];
}

function allUses({ sources, sinks, admin, journal }: UsedConfig): Use[] {
  const enabled = <T extends { readonly enabled: boolean }>(all: readonly T[]): T[] => all.filter((one) => one.enabled);
  return [
    ...enabled(sources).flatMap(({ name, http }) => usesOf(`source ${name}`, http)),
    ...enabled(sinks).flatMap(({ name, http }) => usesOf(`sink ${name}`, http)),
    ...(admin.tls === undefined || admin.listen === undefined
      ? []
      : [{ where: 'daemon', path: admin.tls.cert_file, kind: 'port' } as const]),
    ...(journal.database?.caFile === undefined
      ? []
      : [{ where: 'journal', path: journal.database.caFile, kind: 'authority' } as const]),
  ];
}

/** What of a configuration names certificates. */
type UsedConfig = Pick<Config, 'sources' | 'sinks' | 'admin' | 'journal'>;

interface Ending {
  readonly from: number;
  readonly to: number;
}

/** Of a chain the first that ends counts; of authorities the last: an old one stays in the file beside its successor. */
function endOf(text: string, kind: Use['kind']): Ending | undefined {
  const all = validityOf(text).toSorted((one, other) => one.to - other.to);
  return kind === 'authority' ? all.at(-1) : all[0];
}

/** A share whose server is away answers never, and whoever asks for the status waits. */
const longestMs = 2000;

/** Certificates, each once for whoever uses it, that have ended or will soon. What cannot be read is told where it is used. */
export async function endingCertificates(
  config: UsedConfig,
  { clock, files }: Pick<Seams, 'clock' | 'files'>,
): Promise<readonly Problem[]> {
  const uses = allUses(config);
  const paths = [...new Set(uses.map(({ path }) => path))];
  const read = (path: string): Promise<string | undefined> =>
    answerInTime(path, () => files.readFile(path, 'latin1'), clock, longestMs).catch(() => undefined);
  const texts = new Map(await Promise.all(paths.map(async (path) => [path, await read(path)] as const)));
  const now = clock.now();
  return uses.flatMap(({ where, path, kind }): Problem[] => {
    const { from, to } = endOf(texts.get(path) ?? '', kind) ?? { from: 0, to: Number.POSITIVE_INFINITY };
    if (to - now > Math.min(longestNoticeMs, (to - from) * noticeShare)) return [];
    const { words, fix } = kinds[kind];
    const when = new Date(to).toISOString().slice(0, 16).replace('T', ' ');
    if (to <= now) return [{ level: 'error', where, what: `${words} in ${path} expired on ${when} UTC`, fix }];
    return [{ level: 'warning', where, what: `${words} in ${path} expires on ${when} UTC, in ${formatDuration(to - now)}`, fix }];
  });
}

const lookEveryMs = 60_000;

/** Logs each file once when it is about to end, once when it has, and once when it is renewed; until it is disposed. */
export function watchCertificates(
  current: () => UsedConfig,
  { seams, log }: { readonly seams: Pick<Seams, 'clock' | 'files'>; readonly log: Log },
): AsyncDisposable {
  const stop = new AbortController();
  let known = new Set<string>();

  async function look(): Promise<void> {
    const found = await endingCertificates(current(), seams);
    const keys = new Map(found.map((problem) => [`${problem.level} ${problem.what.replace(/, in .*/, '')}`, problem]));
    for (const [key, { level, where, what, fix }] of keys)
      if (!known.has(key)) log[level === 'error' ? 'error' : 'warn']({ where, what, fix }, 'a certificate ends');
    known = new Set(keys.keys());
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await look().catch((error: unknown) => log.warn({ err: error }, 'the ends of certificates could not be looked at'));
      await sleep(seams.clock, lookEveryMs, stop.signal).catch(() => undefined);
    }
  }

  const looping = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
    },
  };
}
