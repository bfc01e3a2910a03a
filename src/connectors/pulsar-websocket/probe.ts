import { PenstockError } from '../../base/errors.ts';
import { isObject, parseJson } from '../../base/json.ts';
import { formatDuration, formatSize } from '../../base/quantity.ts';
import type { Subscription } from './address.ts';
import { type Dialling, openWebSocket } from './handshake.ts';

/** What a probe needs besides the way to the service. */
export interface Probing {
  readonly dialling: Dialling;
  readonly subscription: string;
  /** Address of the admin API; undefined when it is not configured. */
  readonly admin: string | undefined;
  readonly token: string | undefined;
}

/**
 * Learns about a topic without taking a message: a reader connects and goes, which leaves no subscription behind; the admin API, where it
 * is configured and answers, tells of subscription and policies. With `create` a consumer in pull mode connects too, which makes the
 * subscription at the latest message and is sent nothing. Rejects with what the connection is refused for.
 */
export async function probeTopic(
  target: Subscription,
  probing: Probing,
  create: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  await touch(readerOf(target, probing.subscription), probing.dialling, signal);
  const lines = [`topic ${target.topic} exists and the token may read it`];
  if (create) {
    await touch(pullingOf(target), probing.dialling, signal);
    lines.push(`subscription "${probing.subscription}" stands; it keeps what is published from now on`);
  }
  return [...lines, ...(await askAdmin(target, probing, signal))];
}

async function touch(target: Subscription, dialling: Dialling, signal: AbortSignal): Promise<void> {
  const socket = await openWebSocket(target, dialling, signal);
  socket.terminate();
}

function readerOf({ topic, url, headers }: Subscription, subscription: string): Subscription {
  const reader = new URL(url);
  reader.pathname = url.pathname.replace('/consumer/', '/reader/').replace(/\/[^/]*$/, '');
  reader.search = '';
  reader.searchParams.set('readerName', `${subscription}-check`);
  reader.searchParams.set('messageId', 'latest');
  const token = url.searchParams.get('token');
  if (token !== null) reader.searchParams.set('token', token);
  return { topic, url: reader, headers };
}

function pullingOf({ topic, url, headers }: Subscription): Subscription {
  const pulling = new URL(url);
  pulling.searchParams.set('pullMode', 'true');
  return { topic, url: pulling, headers };
}

type Ask = (path: string) => Promise<unknown>;

async function askAdmin(
  { topic }: Subscription,
  { admin, token, subscription, dialling }: Probing,
  signal: AbortSignal,
): Promise<string[]> {
  if (admin === undefined) return [`whether subscription "${subscription}" exists was not asked: the options name no admin API`];
  const [domain, names = ''] = topic.split('://');
  const path = names.split('/').map(encodeURIComponent);
  const namespace = `namespaces/${path.slice(0, 2).join('/')}`;
  const ask: Ask = async (what) => {
    const url = new URL(`${admin.replace(/\/+$/, '')}/admin/v2/${what}`);
    const headers = {
      accept: 'application/json',
      'user-agent': dialling.userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const { status, body } = await dialling.http.request({
      method: 'GET',
      url,
      headers,
      timeoutMs: 30_000,
      maxBytes: 1_000_000,
      signal,
    });
    if (status !== 200) throw new PenstockError('PEN_SOURCE_UNAVAILABLE', `answered ${status}`, { status });
    return body.length === 0 ? null : parseJson(body.toString('utf8'));
  };
  const lines = await Promise.all([
    told('the subscriptions', async () =>
      subscriptionLines(await ask(`${domain}/${path.join('/')}/subscriptions`), subscription),
    ),
    told('the retention', async () => retentionLines(await ask(`${namespace}/retention`))),
    told('the backlog quota', async () => quotaLines(await ask(`${namespace}/backlogQuotaMap`))),
    told('the time to live', async () => lifetimeLines(await ask(`${namespace}/messageTTL`))),
  ]);
  return lines.flat();
}

// A hosted service offers part of the admin API only: what it does not tell is said, and no reason to fail.
async function told(what: string, ask: () => Promise<string[]>): Promise<string[]> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof PenstockError || error instanceof SyntaxError)) throw error;
    return [`the admin API does not tell ${what}: ${error.message}`];
  }
}

function subscriptionLines(reply: unknown, subscription: string): string[] {
  if (!Array.isArray(reply)) return [];
  if (reply.includes(subscription)) return [`subscription "${subscription}" exists`];
  return [
    `subscription "${subscription}" does not exist: it is made when the daemon connects, and what is published before is not read`,
  ];
}

function retentionLines(reply: unknown): string[] {
  const minutes = isObject(reply) ? reply['retentionTimeInMinutes'] : 0;
  if (typeof minutes === 'number' && minutes !== 0) return [];
  return ['retention is off: what is published while no subscription exists is lost'];
}

function quotaLines(reply: unknown): string[] {
  const quotas = isObject(reply) ? Object.values(reply).filter(isObject) : [];
  return quotas.flatMap((quota) => {
    const bytes = quota['limitSize'] ?? quota['limit'];
    const size = typeof bytes === 'number' && bytes > 0 ? `beyond ${formatSize(bytes)} of backlog` : 'beyond the quota';
    if (quota['policy'] === 'consumer_backlog_eviction') return [`${size} the oldest messages are deleted unread`];
    return [`${size} the exporter can publish no more: do not leave the subscription unread`];
  });
}

function lifetimeLines(reply: unknown): string[] {
  return typeof reply === 'number' && reply > 0 ? [`messages unread for ${formatDuration(reply * 1000)} are deleted`] : [];
}
