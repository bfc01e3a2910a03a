// What sources and sinks name: whether it is known, how it is reached, and what its clock says. No credential is sent.
import { lookup } from 'node:dns/promises';
import { asPenstockError, explainInLine } from '../../base/errors.ts';
import { counted, formatDuration } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import type { Config, ConnectionConfig } from '../../config/config.ts';
import { openHttpClient } from '../../http/index.ts';
import { plainUserAgent } from '../../runtime/open-runtime.ts';
import { type Diagnosis, ok, warning, wrong } from './diagnosis.ts';

interface Target {
  readonly url: URL;
  readonly http: ConnectionConfig;
}

/** Others only look like addresses: the topics of a stream. */
const network = /^(https?|wss?|tcp|tls|udp|relps?|postgres(?:ql)?):\/\/[^/]/;

/** One for each host and port that sources, sinks and the journal name. */
function targetsOf({ sources, sinks, journal }: Config): Target[] {
  const named = [
    { text: journal.database?.url, http: {} },
    ...sources
      .filter(({ enabled }) => enabled)
      .flatMap(({ options, http }) => Object.values(options).map((text) => ({ text, http }))),
    ...sinks
      .filter(({ enabled }) => enabled)
      .flatMap(({ sinkType, options, http }) => sinkType.urls(options).map((text) => ({ text, http }))),
  ];
  const targets = named.flatMap(({ text, http }) =>
    typeof text === 'string' && network.test(text) && URL.canParse(text) ? [{ url: new URL(text), http }] : [],
  );
  return [...new Map(targets.map((target) => [`${target.url.protocol}${target.url.host}`, target])).values()];
}

interface Reached {
  readonly host: string;
  readonly route: string;
  /** Why its name, or that of the proxy before it, is not known. */
  readonly unknown?: string;
  readonly fault?: string;
  /** Its clock minus ours, milliseconds. */
  readonly skewMs?: number;
}

const patienceMs = 5000;
const isWeb = ({ protocol }: URL): boolean => /^(https?|wss?):$/.test(protocol);

async function reach({ url, http }: Target, seams: Seams): Promise<Reached> {
  await using client = await openHttpClient({ userAgent: plainUserAgent, tls: http.tls, proxy: http.proxy }, seams);
  const route = isWeb(url) ? client.describeRoute(url) : 'direct';
  const via = /proxy (\S+:\/\/\S+)/.exec(route)?.[1];
  const name = new URL(via ?? url).hostname.replace(/^\[(.*)\]$/, '$1');
  const base = { host: url.host, route };
  const unknown = await lookup(name).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => `${name} is not known (${code ?? 'no answer'})`,
  );
  if (unknown !== undefined) return { ...base, unknown };
  if (!isWeb(url)) return base;
  try {
    const asked = new URL('/', url.href.replace(/^ws/, 'http'));
    const before = seams.clock.now();
    const { headers } = await client.request({ method: 'GET', url: asked, timeoutMs: patienceMs, maxBytes: 65_536, cut: true });
    const date = Date.parse(headers['date'] ?? '') + 1000 * Number(headers['age'] ?? 0);
    return Number.isNaN(date) ? base : { ...base, skewMs: date - (before + seams.clock.now()) / 2 };
  } catch (error) {
    return { ...base, fault: asPenstockError(error).message };
  }
}

/** Names, proxies, what answers, and the clock. */
export async function ofNetwork(config: Config, seams: Seams): Promise<Diagnosis[]> {
  const reached = await Promise.all(
    targetsOf(config).map((target) =>
      reach(target, seams).catch(
        (error: unknown): Reached => ({ host: target.url.host, route: 'direct', fault: explainInLine(error) }),
      ),
    ),
  );
  if (reached.length === 0) return [ok('dns', 'no address is asked for')];
  const unknown = reached.flatMap(({ host, unknown: why }) =>
    why === undefined ? [] : [wrong('dns', `${host}: ${why}`, 'correct the name, or the resolver of this machine')],
  );
  const faults = reached.flatMap(({ host, fault }) =>
    fault === undefined ? [] : [warning('network', config.secrets.tell(`${host}: ${fault}`), 'see "penstock check"')],
  );
  const proxied = reached.filter(({ route }) => route !== 'direct').map(({ host, route }) => `${host} by ${route}`);
  return [
    ...(unknown.length > 0 ? unknown : [ok('dns', counted(reached.length, 'name is known', 'names are known'))]),
    ok('proxy', proxied.length === 0 ? 'none is used' : proxied.join(', ')),
    ...faults,
    ofClock(reached),
  ];
}

/** `Date` has whole seconds, and an answer takes a while. */
const doubtfulSkewMs = 10_000;
const wrongSkewMs = 60_000;

function ofClock(reached: readonly Reached[]): Diagnosis {
  const known = reached.flatMap(({ host, skewMs }) => (skewMs === undefined ? [] : [{ host, skewMs }]));
  const [best] = known.toSorted((a, b) => Math.abs(a.skewMs) - Math.abs(b.skewMs));
  if (best === undefined) return warning('clock', 'nobody answered with the time', 'see "penstock check"');
  const { host, skewMs } = best;
  const off = Math.abs(skewMs);
  if (off < doubtfulSkewMs) return ok('clock', `agrees with that of ${host}`);
  const what = `this machine is ${formatDuration(off)} ${skewMs > 0 ? 'behind' : 'ahead of'} ${host}`;
  return (off < wrongSkewMs ? warning : wrong)('clock', what, 'synchronise it: timedatectl set-ntp true');
}
